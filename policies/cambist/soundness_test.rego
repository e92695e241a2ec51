# What the default rules do with questions and data that they cannot understand, as sentences.
package cambist.exchange_test

import data.cambist.exchange

# ── zones ───────────────────────────────────────────────────────────────────────────────────────────────

test_without_data_everything_is_refused if {
	answer := exchange.decision with input as question with data.cambist.zones as {}
	answer == refused_with(["there are no rules for this zone"])
}

test_one_zone_says_nothing_in_another if {
	answer := exchange.decision with input as also({"zone": "other"}) with data.cambist.zones as rules({"grants": grants})
	answer == refused_with(["there are no rules for this zone"])
}

test_several_zones_live_in_one_document if {
	zones := {"default": {}, "other": {"grants": grants}}
	answer := exchange.decision with input as also({"zone": "other"}) with data.cambist.zones as zones
	answer == {"allow": true, "scope": ["read"]}
}

# ── questions ───────────────────────────────────────────────────────────────────────────────────────────

test_another_version_of_the_question_is_refused if {
	every version in [0, 2, "1", null] {
		answer := exchange.decision with input as also({"version": version}) with data.cambist.zones as rules({"grants": grants})
		answer == refused_with(["this version of the question is not known"])
	}
}

test_a_question_that_lacks_a_member_is_refused if {
	every member in object.keys(question) - {"now"} {
		answer := exchange.decision with input as object.remove(question, {member}) with data.cambist.zones as rules({"grants": grants})
		answer.allow == false
	}
}

test_a_request_that_lacks_a_member_is_refused_where_the_member_bounds if {
	zone := {"grants": grants, "targets": {api: {"execution_scope": true}}}
	every member in ["targets", "execution_scope"] {
		request := object.remove(asked([api]), {member})
		answer := exchange.decision with input as object.union(object.remove(question, {"request"}), {"request": request})
			with data.cambist.zones as rules(zone)
		answer.allow == false
	}
}

test_a_question_that_is_none_is_refused if {
	every nothing in [null, [], "x", {}] {
		answer := exchange.decision with input as nothing with data.cambist.zones as rules({"grants": grants})
		answer.allow == false
	}
}

test_an_actor_that_is_no_party_is_refused if {
	answer := exchange.decision with input as also({"actor": "agent"}) with data.cambist.zones as rules({"grants": grants})
	answer.allow == false
	"this actor may not act for this subject" in answer.reasons
}

test_targets_that_are_none_are_refused_by_the_default if {
	answer := exchange.decision with input as also({"request": {"targets": [{}]}}) with data.cambist.zones as rules({"grants": grants})
	answer == refused_with(["the question cannot be understood"])
}

# ── data ────────────────────────────────────────────────────────────────────────────────────────────────

wrong(where) := refused_with([concat("", ["the rules' data are wrong: ", where])])

test_a_grant_that_cannot_be_understood_refuses if {
	every grant in [
		true, null, [], "read", {"scope": ["read"]},
		{"scopes": "read"}, {"scopes": [1]}, {"scopes": {"read": true}}, {"scopes": null}, {"scopes": false},
		{"ttl": 0}, {"ttl": -1}, {"ttl": 0.5}, {"ttl": "60"}, {"ttl": null}, {"ttl": false},
		{"claims": []}, {"claims": null}, {"multi_audience": "yes"}, {"multi_audience": null},
	] {
		answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": {issuer: {"web": {api: grant}}}})
		answer == wrong("the grant for https://api.example.com")
	}
}

test_a_grant_that_is_false_grants_nothing if {
	answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": {issuer: {"web": {api: false}}}})
	answer.allow == false
}

test_a_rule_that_cannot_be_understood_refuses if {
	every rule in [
		true, null, [], "all", {"scope": ["read"]},
		{"targets": api}, {"targets": [1]}, {"targets": null}, {"targets": false},
		{"scopes": "read"}, {"scopes": null}, {"scopes": false},
		{"ttl": 0}, {"ttl": "60"}, {"ttl": false},
	] {
		zone := {"grants": grants, "actors": {issuer: {"agent": {issuer: {"web": rule}}}}, "clients": {"shop": {issuer: {"web": rule}}}}
		actor := exchange.decision with input as also(by_agent) with data.cambist.zones as rules(zone)
		actor == wrong("the rule for this actor or application")
		client := exchange.decision with input as also(by_application) with data.cambist.zones as rules(zone)
		client == wrong("the rule for this actor or application")
	}
}

test_a_target_that_cannot_be_understood_refuses if {
	every target in [true, [], {"execution": true}, {"execution_scope": "yes"}, {"execution_scope": null}] {
		answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": grants, "targets": {api: target}})
		answer == wrong("the target https://api.example.com")
	}
}

test_a_zone_that_cannot_be_understood_refuses if {
	every case in [
		{"change": {"block": {}}, "where": "the zone"},
		{"change": {"blocked": [question.subject.id]}, "where": "blocked"},
		{"change": {"blocked": null}, "where": "blocked"},
		{"change": {"targets": false}, "where": "targets"},
		{"change": {"clients": []}, "where": "clients"},
		{"change": {"actors": "all"}, "where": "actors"},
		{"change": {"max_chain": "2"}, "where": "max_chain"},
		{"change": {"max_chain": 1.5}, "where": "max_chain"},
		{"change": {"max_chain": false}, "where": "max_chain"},
		{"change": {"public": "all"}, "where": "public"},
		{"change": {"public": [1]}, "where": "public"},
	] {
		zone := object.union({"grants": grants}, case.change)
		answer := exchange.decision with input as question with data.cambist.zones as rules(zone)
		answer == wrong(case.where)
	}
}

test_a_bound_on_chains_that_is_no_number_lets_nobody_through if {
	every bound in [-1, null] {
		answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": grants, "max_chain": bound})
		answer == refused_with(["the chain of actors is too long", "the rules' data are wrong: max_chain"])
	}
}

test_a_zone_that_is_no_object_refuses if {
	every zone in [true, [], "x", null, false] {
		answer := exchange.decision with input as question with data.cambist.zones as rules(zone)
		answer.allow == false
	}
}
