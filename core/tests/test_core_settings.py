"""Settings are read whole: every problem is told at once, with its path and a suggestion, and nothing opens until there is none."""

from __future__ import annotations

from typing import Any

import pytest

from cambist import DidNotStart, Secret, Settings
from cambist.settings import parse

ISSUER = "https://sts.example.test"
HASH = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"


def read(**document: Any) -> Settings:
    return parse({"issuer": ISSUER, **document})


def problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(DidNotStart) as refused:
        parse(document)
    return refused.value.problems


def problem(**document: Any) -> str:
    (only,) = problems({"issuer": ISSUER, **document})
    return only


def test_the_least_settings_are_an_issuer() -> None:
    found = parse({"issuer": ISSUER})
    assert set(found.zones) == {"default"}
    assert (found.service.issuer, found.service.url, found.zones["default"].issuer) == (ISSUER, ISSUER, ISSUER)
    assert (found.zones["default"].ttl, found.zones["default"].execution_ttl, found.service.listen.port) == (300, 30, 8693)
    assert problems({}) == ["issuer: required"]


def test_keys_of_the_default_zone_stand_at_the_top_level_and_zones_inherit_nothing_but_the_issuer() -> None:
    found = read(ttl=60, bootstrap=True, resources={"x": {}}, plugins={"jwt": {"a": 1}}, zones={"shop": {"ttl": 90}})
    default, shop = found.zones["default"], found.zones["shop"]
    assert (default.id, default.ttl, default.bootstrap, set(default.resources), dict(default.plugins)) == (
        "default",
        60,
        True,
        {"x"},
        {"jwt": {"a": 1}},
    )
    assert (shop.id, shop.ttl, shop.bootstrap, dict(shop.resources), dict(shop.plugins), shop.issuer) == ("shop", 90, False, {}, {}, ISSUER)


def test_every_problem_is_told_at_once_with_its_path_and_a_suggestion() -> None:
    document = {
        "issuer": "http://sts.example.test",
        "isuer": "x",
        "ttll": 5,
        "ttl": "soon",
        "listen": {"prt": 1, "port": 70_000},
        "applications": {"ci": {"secret": "x"}},
        "zones": {"a": {"ttl": 0, "polcy": "x"}, "b": 5, "c": {"ttl": 5000}},
    }
    assert problems(document) == [
        "isuer: unknown; did you mean issuer?",
        "ttll: unknown; did you mean ttl?",
        "listen.port: Input should be less than or equal to 65535",
        "listen.prt: unknown; did you mean port?",
        "zones.b: Input should be a valid dictionary",
        "issuer: http is for this machine only; use https",
        "ttl: Input should be a valid integer, unable to parse string as an integer",
        "applications.ci.secret: unknown; did you mean secret_hash?",
        "zones.a.ttl: Input should be greater than 0",
        "zones.a.polcy: unknown; did you mean policy?",
        "zones.c.ttl: above max_ttl (3600)",
    ]
    with pytest.raises(DidNotStart, match=r"cambist did not start:\n  isuer: unknown"):
        parse(document)


def test_what_is_wrong_with_the_issuer_is_told_once() -> None:
    assert problems({"issuer": "ftp://x", "zones": {"a": {}}}) == ["issuer: must be an https URL"]
    assert problems({"issuer": 5, "zones": {"a": {}}}) == ["issuer: Input should be a valid string"]
    assert problems({"issuer": "http://127.0.0.1", "x": 1})[0] == "x: unknown"
    assert len(problems({"issuer": "http://127.0.0.1", "x": 1})) == 2


def test_problems_of_several_zones_are_told_together() -> None:
    applications = {"c i": {"secret_hash": HASH}, "nobody": {}}
    found = problems(
        {
            "issuer": ISSUER,
            "applications": applications,
            "resources": {"x": {"owner": "nobdy"}},
            "ttl": 5000,
            "zones": {"b": {"issuer": "ftp://x", "aplications": {}, "id": "c"}, "C": {}, "d": {"issuer": "https://10.0.0.7"}},
        }
    )
    assert found == [
        "ttl: above max_ttl (3600)",
        "applications.c i: an id is letters, digits, dots, hyphens and underscores",
        "applications.nobody: needs secret_hash or jwks, else nobody can be it",
        "resources.x.owner: no application 'nobdy'; did you mean nobody?",
        "zones.b.id: unknown; a zone is named by its table",
        "zones.b.aplications: unknown; did you mean applications?",
        "zones.C.id: String should match pattern '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'",
    ]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sts.example.test", "must be an https URL"),
        ("ftp://sts.example.test", "must be an https URL"),
        ("https://", "must be an https URL"),
        ("https://[::1", "must be an https URL"),
        ("", "must be an https URL"),
        ("http://sts.example.test", "http is for this machine only; use https"),
        ("https://sts.example.test?x=1", "must not have a query, a fragment or a user"),
        ("https://sts.example.test#x", "must not have a query, a fragment or a user"),
        ("https://a@sts.example.test", "must not have a query, a fragment or a user"),
    ],
)
def test_an_issuer_is_an_https_url_and_no_more(url: str, said: str) -> None:
    """MD-01, RFC 8414 section 2."""
    assert problems({"issuer": url})[0] == f"issuer: {said}"
    assert problem(zones={"a": {"issuer": url}}) == f"zones.a.issuer: {said}"
    if url:
        assert problem(public_url=url) == f"public_url: {said}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_http_is_for_this_machine(host: str) -> None:
    found = parse({"issuer": f"http://{host}:8693", "trust_domain": "dev.test", "public_url": f"http://{host}:9/"})
    assert (found.service.issuer, found.service.url) == (f"http://{host}:8693", f"http://{host}:9")


def test_a_trust_domain_is_a_name_and_no_address() -> None:
    assert "trust_domain: '127.0.0.1' cannot be one" in problems({"issuer": "http://127.0.0.1:8693"})[0]
    for name in ("A.test", "a b", "-a", "a/b", "::1"):
        assert "cannot be one" in problem(trust_domain=name)


@pytest.mark.row("F-zone")
@pytest.mark.parametrize(
    "zones",
    [
        {"a": {"trust_domain": "sts.example.test"}},
        {"a": {"trust_domain": "x.test"}, "b": {"trust_domain": "x.test"}},
        {"a": {"issuer": "https://other.test", "trust_domain": "sts.example.test"}},
    ],
)
def test_two_zones_that_would_name_alike_do_not_open(zones: dict[str, Any]) -> None:
    """TX-43: two parties would have one name."""
    assert "is the trust domain of zone" in problem(zones=zones)


def test_the_default_zone_has_no_table_of_its_own() -> None:
    assert problem(zones={"default": {"ttl": 5}}) == "zones.default: the keys of the zone `default` stand at the top level"
    assert problem(id="x") == "id: unknown"


def test_whether_an_application_can_be_anybody_is_seen() -> None:
    found = read(applications={"ci": {"secret_hash": HASH}, "k": {"jwks": {"keys": []}}}).zones["default"].applications
    assert isinstance(found["ci"].secret_hash, Secret)
    assert HASH not in repr(found)
    assert problem(applications={"ci": {"secret_hash": ""}}) == "applications.ci.secret_hash: String should have at least 1 character"


@pytest.mark.parametrize("secret", ["hunter2", "$2b$12$abc", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAA", " $argon2id$"])
def test_a_secret_that_is_no_argon2id_hash_is_told_and_not_shown(secret: str) -> None:
    told = problem(applications={"ci": {"secret_hash": secret}})
    assert told == "applications.ci.secret_hash: must be an Argon2id hash, as `cambist hash-secret` prints it"


def test_what_was_sent_is_not_in_what_is_told() -> None:
    assert "hunter2" not in problem(applications={"ci": {"secret_hash": HASH, "algorithms": "hunter2"}})
