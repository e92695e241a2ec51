# What the tests of the default rules are given: questions, data and answers.
package cambist.exchange_test

issuer := "https://issuer.example.com"

home := "https://sts.example.com"

api := "https://api.example.com"

files := "https://files.example.com"

party(by, name) := {
	"id": concat("", ["wimse://sts.example.com/issuer/", by, "/subject/", name]),
	"issuer": by,
	"subject": name,
	"token_type": "urn:ietf:params:oauth:token-type:jwt",
	"attributes": {},
}

application(name) := {
	"id": concat("", ["wimse://sts.example.com/application/", name]),
	"issuer": home,
	"subject": name,
	"token_type": "urn:cambist:token-type:client-secret",
	"attributes": {},
}

asked(targets) := {
	"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
	"targets": [{"id": target, "declared": false, "scopes": null} | some target in targets],
	"scope": ["read", "write"],
	"requested_token_type": null,
	"ttl": null,
	"execution_scope": null,
}

# A workload that proves itself asks for one target.
question := {
	"version": 1,
	"zone": "default",
	"now": 1750000000,
	"subject": party(issuer, "web"),
	"actor": null,
	"chain": [],
	"client": {"id": party(issuer, "web").id, "method": "subject", "application": false},
	"request": asked([api]),
}

also(change) := object.union(question, change)

by_application := {"client": {"id": "shop", "method": "urn:cambist:token-type:client-secret", "application": true}}

by_agent := object.union(by_application, {"actor": party(issuer, "agent")})

execution := {"htm": "GET", "htu": "https://api.example.com/a", "nonce": "n"}

rules(zone) := {"default": zone}

grants := {issuer: {"web": {api: {"scopes": ["read"]}}}}

both := {issuer: {"web": {
	api: {"scopes": ["read", "write"], "ttl": 60, "multi_audience": true, "claims": {"tier": 1}},
	files: {"scopes": ["read", "list"], "ttl": 90, "multi_audience": true, "claims": {"tier": 1, "disk": "b"}},
}}}

refused_with(reasons) := {"allow": false, "reasons": reasons}

told(reason) := {"reason": reason, "public": true}

at(target, reasons) := {"allow": false, "reasons": [], "targets": {target: {"allow": false, "reasons": reasons}}}

no_grant := [told("no grant for this target")]
