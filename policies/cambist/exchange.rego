# METADATA
# title: Who may have which token
# description: |
#   Refuses by default. What is allowed stands in `data.cambist.zones[<zone>]`; README.md says how it looks.
#   Everything is found by object key: no patterns, no loops over grants, nothing that WebAssembly must ask its host for.
package cambist.exchange

# METADATA
# description: |
#   The one answer to the one question. Whoever may not ask is told nothing about targets, so that a stolen token
#   cannot be used to find out what its subject may reach.
# entrypoint: true
default decision := {"allow": false, "reasons": ["the question cannot be understood"]}

decision := {"allow": false, "reasons": [reason | some reason in refusals]} if count(refusals) > 0

decision := {"allow": false, "reasons": [], "targets": targets} if {
	count(refusals) == 0
	count(refused) > 0
	targets := {target: {"allow": false, "reasons": [reason | some reason in reasons]} | some target, reasons in refused}
}

decision := permit if {
	count(refusals) == 0
	count(refused) == 0
	count(grants) > 0
}

# ── the data that this question is about ────────────────────────────────────────────────────────────────

zone := data.cambist.zones[input.zone]

# What a grant gives is what it names. The grant of the very subject comes before that of any subject of its issuer.
grants[target.id] := grant if {
	some target in input.request.targets
	grant := granted(target.id)
}

granted(target) := grant if {
	grant := zone.grants[input.subject.issuer][input.subject.subject][target]
} else := zone.grants[input.subject.issuer]["*"][target]

# What a rule names narrows what is granted. Acting for the subject needs one, and so does asking in its place.
rule := acting if is_object(input.actor)

rule := asking if {
	input.actor == null
	not own
}

rule := {} if {
	input.actor == null
	own
}

acting := found if {
	found := about_subject(zone.actors[input.actor.issuer][input.actor.subject])
} else := about_subject(zone.actors[input.actor.issuer]["*"])

asking := found if {
	found := about_subject(zone.clients[input.client.id])
} else := about_subject(zone.clients["*"])

about_subject(table) := found if {
	found := table[input.subject.issuer][input.subject.subject]
} else := table[input.subject.issuer]["*"]

# The subject asks for itself: its own credential authenticated the call ...
own if input.client.application == false

# ... or it is the calling application: only those are proved by their bare id and named /application/ (docs/explanation/names.md).
own if {
	input.client.application == true
	input.subject.subject == input.client.id
	contains(input.subject.id, "/application/")
}

# ── who may ask at all ──────────────────────────────────────────────────────────────────────────────────

refusals contains said("this version of the question is not known") if not input.version == 1

refusals contains said("there are no rules for this zone") if not zone

refusals contains said("no target was asked for") if not some_target

# RFC 8693 section 1.1: without an actor the caller becomes the subject, unseen; so the data must name who may.
refusals contains said("this application may not ask for this subject") if {
	input.actor == null
	not rule
}

refusals contains said("this actor may not act for this subject") if {
	not input.actor == null
	not rule
}

refusals contains said("the chain of actors is too long") if not chain_fits

refusals contains blocking(zone.blocked[party.id]) if some party in parties

refusals contains said(concat("", ["the rules' data are wrong: ", where])) if some where in wrong

# Not `not count(…) > 0` above: OPA computes a call outside of the `not` that it stands in, and what is undefined there refuses nothing.
some_target if count(input.request.targets) > 0

chain_fits if {
	is_array(input.chain)
	not zone.max_chain
}

chain_fits if count(parties) - 1 <= zone.max_chain

# Everybody in the request. Earlier actors lend no authority, but one who was blocked must not go on by others.
parties := array.concat([input.subject], input.chain) if input.actor == null

parties := array.concat([input.subject, input.actor], input.chain) if is_object(input.actor)

# ── which targets ───────────────────────────────────────────────────────────────────────────────────────

refused[target.id] contains said("no grant for this target") if {
	some target in input.request.targets
	not grants[target.id]
}

refused[target] contains said("this target is outside of what may be done for this subject") if {
	some target, _ in grants
	not within(target)
}

refused[target] contains said("this target wants an execution scope") if {
	some target, _ in grants
	zone.targets[target].execution_scope == true
	not for_one_action
}

refused[target] contains said("these targets may not share a token") if {
	count(input.request.targets) > 1
	some target, grant in grants
	not shareable(grant)
}

refused[target] contains said("the grants of these targets differ in a claim") if {
	some target, grant in grants
	some name, value in grant.claims
	some other in grants
	other.claims[name] != value
}

for_one_action if is_object(input.request.execution_scope)

shareable(grant) if grant.multi_audience == true

within(_) if not rule.targets

within(target) if target in rule.targets

# ── what is permitted ───────────────────────────────────────────────────────────────────────────────────

permit.allow := true

# Absent where nothing bounds the scope further.
permit.scope := [scope | some scope in intersection(scope_bounds)] if count(scope_bounds) > 0

permit.ttl := min(lifetimes) if count(lifetimes) > 0

permit.claims := claims if count(claims) > 0

permit.multi_audience if count(input.request.targets) > 1

scope_bounds contains {scope | some scope in given} if {
	some grant in grants
	given := object.get(grant, "scopes", [])
	not "*" in given
}

scope_bounds contains {scope | some scope in left} if left := rule.scopes

lifetimes contains grant.ttl if some grant in grants

lifetimes contains rule.ttl

claims := {name: value | some grant in grants; some name, value in grant.claims}

# ── how a refusal is told ───────────────────────────────────────────────────────────────────────────────

# Public reasons reach the caller. These tell it nothing but what it can do; the data may add others.
public := {
	"no grant for this target",
	"this target wants an execution scope",
	"these targets may not share a token",
}

said(text) := {"reason": text, "public": true} if {
	text in public
} else := {"reason": text, "public": true} if {
	text in zone.public
} else := text

blocking(entry) := {"reason": entry.reason, "public": true} if {
	is_string(entry.reason)
	entry.public == true
} else := entry.reason if {
	is_string(entry.reason)
} else := entry if {
	is_string(entry)
} else := "blocked"
