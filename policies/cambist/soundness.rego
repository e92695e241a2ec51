# Whether the data that a question touches can be understood: a member that is misspelt, or of the wrong kind, may be
# meant as a bound and would then bind nothing, so it refuses.
package cambist.exchange

members := {
	"zone": {"grants", "clients", "actors", "targets", "blocked", "max_chain", "public"},
	"grant": {"scopes", "ttl", "claims", "multi_audience"},
	"rule": {"targets", "scopes", "ttl"},
	"target": {"execution_scope"},
}

wrong contains "the zone" if {
	known := zone
	not only(known, members.zone)
}

wrong contains name if {
	known := zone
	some name in ["grants", "clients", "actors", "targets", "blocked"]
	not is_object(object.get(known, name, {}))
}

wrong contains "max_chain" if {
	known := zone
	not whole(object.get(known, "max_chain", 0))
}

wrong contains "public" if {
	known := zone
	not texts(object.get(known, "public", []))
}

wrong contains concat("", ["the grant for ", target]) if {
	some target, grant in grants
	not sound_grant(grant)
}

wrong contains concat("", ["the target ", target.id]) if {
	some target in input.request.targets
	said_of := zone.targets[target.id]
	not sound_target(said_of)
}

wrong contains "the rule for this actor or application" if {
	found := rule
	not sound_rule(found)
}

sound_grant(grant) if {
	only(grant, members.grant)
	texts(object.get(grant, "scopes", []))
	lifetime(object.get(grant, "ttl", 1))
	is_object(object.get(grant, "claims", {}))
	is_boolean(object.get(grant, "multi_audience", false))
}

sound_rule(found) if {
	only(found, members.rule)
	texts(object.get(found, "targets", []))
	texts(object.get(found, "scopes", []))
	lifetime(object.get(found, "ttl", 1))
}

sound_target(said_of) if {
	only(said_of, members.target)
	is_boolean(object.get(said_of, "execution_scope", false))
}

only(table, known) if {
	is_object(table)
	count(object.keys(table) - known) == 0
}

texts(list) if {
	is_array(list)
	every text in list { is_string(text) }
}

lifetime(seconds) if {
	whole(seconds)
	seconds > 0
}

whole(number) if {
	is_number(number)
	number >= 0
	floor(number) == number
}
