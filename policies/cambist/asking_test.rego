# What the default rules promise about who may ask, as sentences.
package cambist.exchange_test

import data.cambist.exchange

# ── an application asks ────────────────────────────────────────────────────────────────────────────────────

test_an_application_may_not_ask_for_somebody_else_by_default if {
	answer := exchange.decision with input as also(by_application) with data.cambist.zones as rules({"grants": grants})
	answer == refused_with(["this application may not ask for this subject"])
}

test_an_application_that_may_not_ask_learns_nothing_of_grants if {
	change := object.union(by_application, {"request": asked([files])})
	answer := exchange.decision with input as also(change) with data.cambist.zones as rules({"grants": grants})
	answer == refused_with(["this application may not ask for this subject"])
}

test_an_application_that_the_data_name_may_ask if {
	zone := {"grants": grants, "clients": {"shop": {issuer: {"web": {}}}}}
	answer := exchange.decision with input as also(by_application) with data.cambist.zones as rules(zone)
	answer == {"allow": true, "scope": ["read"]}
	other := exchange.decision with input as also(object.union(by_application, {"subject": {"subject": "db"}}))
		with data.cambist.zones as rules(zone)
	other == refused_with(["this application may not ask for this subject"])
}

test_a_star_is_any_application_or_any_subject if {
	every table in [{"*": {issuer: {"web": {}}}}, {"shop": {issuer: {"*": {}}}}, {"*": {issuer: {"*": {}}}}] {
		answer := exchange.decision with input as also(by_application) with data.cambist.zones as rules({"grants": grants, "clients": table})
		answer == {"allow": true, "scope": ["read"]}
	}
}

test_the_rule_of_the_very_application_comes_first if {
	table := {"shop": {issuer: {"web": {"ttl": 10}}}, "*": {issuer: {"web": {"ttl": 20}}}}
	answer := exchange.decision with input as also(by_application) with data.cambist.zones as rules({"grants": grants, "clients": table})
	answer == {"allow": true, "scope": ["read"], "ttl": 10}
}

test_the_rule_of_an_application_narrows if {
	table := {"shop": {issuer: {"web": {"targets": [api], "scopes": ["write"], "ttl": 10}}}}
	zone := {"grants": both, "clients": table}
	answer := exchange.decision with input as also(by_application) with data.cambist.zones as rules(zone)
	answer == {"allow": true, "scope": ["write"], "ttl": 10, "claims": {"tier": 1}}
	beyond := exchange.decision with input as also(object.union(by_application, {"request": asked([files])}))
		with data.cambist.zones as rules(zone)
	beyond == at(files, ["this target is outside of what may be done for this subject"])
}

test_an_application_asks_for_itself_without_a_rule if {
	own := object.union(by_application, {"subject": application("shop")})
	answer := exchange.decision with input as also(own) with data.cambist.zones as rules({"grants": {home: {"shop": {api: {"scopes": ["read"]}}}}})
	answer == {"allow": true, "scope": ["read"]}
}

test_a_subject_that_bears_the_name_of_the_application_is_not_the_application if {
	namesake := object.union(by_application, {"subject": party(issuer, "shop")})
	answer := exchange.decision with input as also(namesake) with data.cambist.zones as rules({"grants": {issuer: {"*": {api: {}}}}})
	answer == refused_with(["this application may not ask for this subject"])
}

test_an_application_is_not_another_one if {
	other := object.union(by_application, {"subject": application("other")})
	answer := exchange.decision with input as also(other) with data.cambist.zones as rules({"grants": {home: {"*": {api: {}}}}})
	answer == refused_with(["this application may not ask for this subject"])
}

# ── somebody acts ──────────────────────────────────────────────────────────────────────────────────────────

test_nobody_acts_for_anybody_by_default if {
	zone := {"grants": grants, "clients": {"*": {issuer: {"*": {}}}}}
	answer := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
	answer == refused_with(["this actor may not act for this subject"])
}

test_an_actor_that_the_data_name_may_act if {
	zone := {"grants": grants, "actors": {issuer: {"agent": {issuer: {"web": {}}}}}}
	answer := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
	answer == {"allow": true, "scope": ["read"]}
	other := exchange.decision with input as also(object.union(by_agent, {"subject": {"subject": "db"}}))
		with data.cambist.zones as rules(zone)
	other == refused_with(["this actor may not act for this subject"])
}

test_an_actor_is_named_with_its_issuer if {
	zone := {"grants": grants, "actors": {"https://other.example.com": {"agent": {issuer: {"web": {}}}}}}
	answer := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
	answer == refused_with(["this actor may not act for this subject"])
}

test_a_star_is_any_actor_or_any_subject_of_an_issuer if {
	every table in [{"*": {issuer: {"web": {}}}}, {"agent": {issuer: {"*": {}}}}, {"*": {issuer: {"*": {}}}}] {
		zone := {"grants": grants, "actors": {issuer: table}}
		answer := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
		answer == {"allow": true, "scope": ["read"]}
	}
}

test_the_rule_of_an_actor_narrows if {
	zone := {"grants": both, "actors": {issuer: {"agent": {issuer: {"web": {"targets": [api], "scopes": ["write"], "ttl": 10}}}}}}
	answer := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
	answer == {"allow": true, "scope": ["write"], "ttl": 10, "claims": {"tier": 1}}
	beyond := exchange.decision with input as also(object.union(by_agent, {"request": asked([files])}))
		with data.cambist.zones as rules(zone)
	beyond == at(files, ["this target is outside of what may be done for this subject"])
}

test_a_rule_that_leaves_nothing_leaves_nothing if {
	none := {"grants": grants, "actors": {issuer: {"agent": {issuer: {"web": {"scopes": []}}}}}}
	scopes := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(none)
	scopes == {"allow": true, "scope": []}
	nowhere := {"grants": grants, "actors": {issuer: {"agent": {issuer: {"web": {"targets": []}}}}}}
	targets := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(nowhere)
	targets == at(api, ["this target is outside of what may be done for this subject"])
}

test_a_rule_for_an_actor_grants_nothing if {
	zone := {"actors": {issuer: {"agent": {issuer: {"web": {"scopes": ["read"]}}}}}}
	answer := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
	answer == at(api, no_grant)
}

# ── chains ─────────────────────────────────────────────────────────────────────────────────────────────────

test_a_chain_is_as_long_as_the_data_say_and_no_longer if {
	zone := {"grants": grants, "actors": {issuer: {"*": {issuer: {"*": {}}}}}, "max_chain": 2}
	two := exchange.decision with input as also(object.union(by_agent, {"chain": [party(issuer, "first")]}))
		with data.cambist.zones as rules(zone)
	two == {"allow": true, "scope": ["read"]}
	three := exchange.decision with input as also(object.union(by_agent, {"chain": [party(issuer, "second"), party(issuer, "first")]}))
		with data.cambist.zones as rules(zone)
	three == refused_with(["the chain of actors is too long"])
}

test_a_chain_is_counted_without_an_actor_too if {
	carried := also({"chain": [party(issuer, "first")]})
	answer := exchange.decision with input as carried with data.cambist.zones as rules({"grants": grants, "max_chain": 0})
	answer == refused_with(["the chain of actors is too long"])
}

test_a_chain_is_not_bounded_by_the_rules_where_the_data_do_not_say if {
	carried := also({"chain": [party(issuer, "second"), party(issuer, "first")]})
	answer := exchange.decision with input as carried with data.cambist.zones as rules({"grants": grants})
	answer == {"allow": true, "scope": ["read"]}
}

test_an_earlier_actor_lends_no_authority if {
	zone := {"grants": grants, "actors": {issuer: {"first": {issuer: {"web": {}}}}}}
	answer := exchange.decision with input as also(object.union(by_agent, {"chain": [party(issuer, "first")]}))
		with data.cambist.zones as rules(zone)
	answer == refused_with(["this actor may not act for this subject"])
}

# ── blocked parties ─────────────────────────────────────────────────────────────────────────────────────

test_a_blocked_subject_is_refused_with_the_reason_of_the_data if {
	zone := {"grants": grants, "blocked": {question.subject.id: "under investigation"}}
	answer := exchange.decision with input as question with data.cambist.zones as rules(zone)
	answer == refused_with(["under investigation"])
}

test_a_blocked_actor_and_a_blocked_earlier_actor_are_refused if {
	zone := {
		"grants": grants,
		"actors": {issuer: {"*": {issuer: {"*": {}}}}},
		"blocked": {party(issuer, "agent").id: {"reason": "retired", "public": true}},
	}
	now := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
	now == refused_with([told("retired")])
	earlier := also(object.union(by_agent, {"actor": {"subject": "other", "id": "x"}, "chain": [party(issuer, "agent")]}))
	answer := exchange.decision with input as earlier with data.cambist.zones as rules(zone)
	answer == refused_with([told("retired")])
}

test_a_reason_is_private_unless_the_data_say_otherwise if {
	every entry in [{"reason": "retired"}, {"reason": "retired", "public": false}, {"reason": "retired", "public": "yes"}] {
		zone := {"grants": grants, "blocked": {question.subject.id: entry}}
		answer := exchange.decision with input as question with data.cambist.zones as rules(zone)
		answer == refused_with(["retired"])
	}
}

test_whatever_stands_beside_a_blocked_name_blocks_it if {
	every entry in [null, false, 0, [], {}, {"public": true}] {
		zone := {"grants": grants, "blocked": {question.subject.id: entry}}
		answer := exchange.decision with input as question with data.cambist.zones as rules(zone)
		answer == refused_with(["blocked"])
	}
}

test_the_data_can_make_a_reason_public if {
	zone := {"grants": grants, "public": ["this application may not ask for this subject"]}
	answer := exchange.decision with input as also(by_application) with data.cambist.zones as rules(zone)
	answer == refused_with([told("this application may not ask for this subject")])
}
