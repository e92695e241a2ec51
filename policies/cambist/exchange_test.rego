# What the default rules promise about targets, as sentences.
package cambist.exchange_test

import data.cambist.exchange

# ── grants ─────────────────────────────────────────────────────────────────────────────────────────────────

test_what_is_granted_is_permitted if {
	answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": grants})
	answer == {"allow": true, "scope": ["read"]}
}

test_a_target_that_is_not_granted_is_refused_by_name_and_in_public if {
	answer := exchange.decision with input as also({"request": asked([files])}) with data.cambist.zones as rules({"grants": grants})
	answer == at(files, no_grant)
}

test_a_subject_that_is_not_named_gets_nothing if {
	answer := exchange.decision with input as also({"subject": {"subject": "db"}}) with data.cambist.zones as rules({"grants": grants})
	answer == at(api, no_grant)
}

test_the_same_name_at_another_issuer_is_somebody_else if {
	other := also({"subject": {"issuer": "https://other.example.com"}})
	answer := exchange.decision with input as other with data.cambist.zones as rules({"grants": grants})
	answer == at(api, no_grant)
}

test_a_star_is_any_subject_of_its_issuer if {
	anybody := {issuer: {"*": {api: {"scopes": ["read"]}}}}
	here := exchange.decision with input as question with data.cambist.zones as rules({"grants": anybody})
	here == {"allow": true, "scope": ["read"]}
	elsewhere := exchange.decision with input as also({"subject": {"issuer": "https://other.example.com"}})
		with data.cambist.zones as rules({"grants": anybody})
	elsewhere == at(api, no_grant)
}

test_a_star_is_no_issuer_and_no_target if {
	no_issuer := exchange.decision with input as question with data.cambist.zones as rules({"grants": {"*": {"web": {api: {}}}}})
	no_issuer == at(api, no_grant)
	no_target := exchange.decision with input as question with data.cambist.zones as rules({"grants": {issuer: {"web": {"*": {}}}}})
	no_target == at(api, no_grant)
}

test_the_grant_of_the_very_subject_comes_first_target_by_target if {
	nested := {issuer: {"web": {api: {"scopes": ["read"]}}, "*": {api: {"scopes": ["write"]}, files: {"scopes": ["list"]}}}}
	exact := exchange.decision with input as question with data.cambist.zones as rules({"grants": nested})
	exact == {"allow": true, "scope": ["read"]}
	general := exchange.decision with input as also({"request": asked([files])}) with data.cambist.zones as rules({"grants": nested})
	general == {"allow": true, "scope": ["list"]}
}

test_a_grant_without_scopes_gives_none if {
	answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": {issuer: {"web": {api: {}}}}})
	answer == {"allow": true, "scope": []}
}

test_a_star_among_scopes_bounds_nothing if {
	open := {issuer: {"web": {api: {"scopes": ["*"]}}}}
	answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": open})
	answer == {"allow": true}
}

test_a_grant_bounds_the_lifetime_and_adds_claims if {
	rich := {issuer: {"web": {api: {"scopes": ["*"], "ttl": 60, "claims": {"caps": ["a"]}}}}}
	answer := exchange.decision with input as question with data.cambist.zones as rules({"grants": rich})
	answer == {"allow": true, "ttl": 60, "claims": {"caps": ["a"]}}
}

# ── several targets ────────────────────────────────────────────────────────────────────────────────────────

test_targets_whose_grants_say_so_share_a_token_of_what_all_of_them_give if {
	answer := exchange.decision with input as also({"request": asked([api, files])}) with data.cambist.zones as rules({"grants": both})
	answer == {"allow": true, "scope": ["read"], "ttl": 60, "claims": {"tier": 1, "disk": "b"}, "multi_audience": true}
}

test_a_target_whose_grant_does_not_say_so_shares_no_token if {
	alone := {issuer: {"web": object.union(both[issuer].web, {files: {"multi_audience": false}})}}
	answer := exchange.decision with input as also({"request": asked([api, files])}) with data.cambist.zones as rules({"grants": alone})
	answer == at(files, [told("these targets may not share a token")])
}

test_one_target_that_is_not_granted_refuses_all if {
	targets := also({"request": asked([api, "https://x.example.com"])})
	answer := exchange.decision with input as targets with data.cambist.zones as rules({"grants": both})
	answer == at("https://x.example.com", no_grant)
}

test_targets_whose_grants_differ_in_a_claim_share_no_token if {
	differing := {issuer: {"web": object.union(both[issuer].web, {files: {"claims": {"tier": 2}}})}}
	answer := exchange.decision with input as also({"request": asked([api, files])}) with data.cambist.zones as rules({"grants": differing})
	reasons := {"allow": false, "reasons": ["the grants of these targets differ in a claim"]}
	answer == {"allow": false, "reasons": [], "targets": {api: reasons, files: reasons}}
}

test_a_question_without_a_target_is_refused if {
	answer := exchange.decision with input as also({"request": asked([])}) with data.cambist.zones as rules({"grants": grants})
	answer == refused_with(["no target was asked for"])
}

# ── an execution scope ─────────────────────────────────────────────────────────────────────────────────────

test_a_target_can_demand_an_execution_scope if {
	zone := {"grants": grants, "targets": {api: {"execution_scope": true}}}
	without := exchange.decision with input as question with data.cambist.zones as rules(zone)
	without == at(api, [told("this target wants an execution scope")])
	given := also({"request": {"execution_scope": execution}})
	answer := exchange.decision with input as given with data.cambist.zones as rules(zone)
	answer == {"allow": true, "scope": ["read"]}
}

test_a_target_that_demands_none_takes_a_token_without if {
	zone := {"grants": grants, "targets": {api: {"execution_scope": false}}}
	answer := exchange.decision with input as question with data.cambist.zones as rules(zone)
	answer == {"allow": true, "scope": ["read"]}
}

test_a_demand_is_not_told_where_nothing_is_granted if {
	answer := exchange.decision with input as question with data.cambist.zones as rules({"targets": {api: {"execution_scope": true}}})
	answer == at(api, no_grant)
}
