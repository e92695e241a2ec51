"""Where settings come from: the document, the environment, files; and what their shapes say of what does not fit."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from cambist import DidNotStart, Settings, Shape
from cambist.settings import Installation, load, parse, suggestion, validated
from cambist.zone import Resource, Zone

ISSUER = "https://sts.example.test"
HASH = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"


def read(**document: Any) -> Settings:
    return parse({"issuer": ISSUER, **document})


def problem(**document: Any) -> str:
    with pytest.raises(DidNotStart) as refused:
        read(**document)
    (only,) = refused.value.problems
    return only


def test_values_may_be_in_the_environment_or_in_files_and_their_origin_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STS_ISSUER", ISSUER)
    (tmp_path / "hash").write_text(f"{HASH}\n")
    (tmp_path / "cambist.toml").write_text(
        f'''issuer = {{ env = "STS_ISSUER" }}
authenticates = ["a", {{ env = "STS_ISSUER" }}]
[applications.ci]
secret_hash = {{ file = "{tmp_path / "hash"}" }}
[zones.shop]
ttl = 60
'''
    )
    found = load(tmp_path / "cambist.toml")
    secret = found.zones["default"].applications["ci"].secret_hash
    assert secret is not None
    assert (found.service.issuer, secret.reveal(), found.zones["default"].authenticates) == (ISSUER, HASH, ("a", ISSUER))
    assert found.origin("issuer") == "env STS_ISSUER"
    assert found.origin("applications.ci.secret_hash") == f"file {tmp_path / 'hash'}"
    assert found.origin("zones.shop.ttl") == found.origin("authenticates.0") == str(tmp_path / "cambist.toml")
    assert found.origin("authenticates.1") == "env STS_ISSUER"
    assert found.origin("max_ttl") == "default"


def test_origins_are_those_of_values_and_of_what_is_in_lists_never_of_tables() -> None:
    found = parse({"issuer": ISSUER, "resources": {"https://a.example": {"scopes": ["r", "w"]}}, "plugins": {"p": {"x": [{"y": 1}]}}})
    resource = "resources.https://a.example"
    assert set(found.origins) == {
        "issuer",
        f"{resource}.scopes",
        f"{resource}.scopes.0",
        f"{resource}.scopes.1",
        "plugins.p.x",
        "plugins.p.x.0.y",
    }
    assert {*found.origins.values()} == {"settings"}
    assert found.origin(resource) == "default"


def test_a_start_does_not_make_origins_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def paths(value: object, path: str) -> list[str]:
        made.append(path)
        return [path]

    monkeypatch.setattr("cambist.origins._paths", paths)
    found = read(ttl=60)
    assert made == []
    assert (found.origin("ttl"), found.origin("issuer"), found.origin("max_ttl")) == ("settings", "settings", "default")
    assert made == ["issuer", "ttl"]


def test_what_the_command_line_says_comes_from_there_and_the_rest_from_where_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STS_TTL", "60")
    found = parse({"issuer": ISSUER, "policy": {"env": "STS_TTL"}}).origins.over({"listen.workers": "command line"})
    assert dict(found) == {"issuer": "settings", "policy": "env STS_TTL", "listen.workers": "command line"}
    assert len(found) == 3


def test_settings_do_not_show_the_secrets_of_their_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEK", "hush")
    found = read(plugins={"p": {"kek": {"env": "KEK"}, "more": ["hush"]}})
    assert "hush" not in repr(found) + repr(vars(found)) + str(found.origins)
    assert repr(found.origins) == "Origins('settings', {'plugins.p.kek': 'env KEK'})"


def test_what_was_read_is_a_copy_that_no_caller_can_change() -> None:
    """Whoever keeps the document must not be able to put other keys in the place of those that were judged."""
    table = {"issuers": [{"issuer": "a", "jwks": {"keys": [{"kid": "a"}]}}]}
    found = read(plugins={"p": table})
    table["issuers"][0]["jwks"] = {"keys": []}
    table["issuers"].append({})
    assert found.zones["default"].plugins["p"] == {"issuers": [{"issuer": "a", "jwks": {"keys": [{"kid": "a"}]}}]}


@pytest.mark.parametrize(
    "reference", [{"env": "CAMBIST_NOT_SET"}, {"file": "/nowhere/x"}, {"file": "a\0b"}, {"file": "/"}, {"env": "\ud800"}]
)
def test_a_reference_to_nothing_is_a_problem_with_its_path(reference: dict[str, str]) -> None:
    found = problem(applications={"ci": {"secret_hash": reference}})
    assert found.startswith("applications.ci.secret_hash: ")


def test_a_file_that_is_not_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    assert problem(policy={"file": str(tmp_path / "x")}).startswith("policy: 'utf-8' codec")


def test_only_a_reference_alone_is_one() -> None:
    assert dict(read(plugins={"p": {"env": "HOME", "file": "x"}}).zones["default"].plugins) == {"p": {"env": "HOME", "file": "x"}}
    assert dict(read(plugins={"p": {"env": 5}}).zones["default"].plugins) == {"p": {"env": 5}}


@pytest.mark.parametrize("text", [b"\xff", b"issuer = ", b"a = 1\na = 2", b"[" * 5000, b"x = " + b"[" * 20_000])
def test_a_file_that_is_no_toml_does_not_start(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "c.toml").write_bytes(text)
    with pytest.raises(DidNotStart, match=r"c\.toml: "):
        load(tmp_path / "c.toml")
    with pytest.raises(DidNotStart, match="No such file"):
        load(tmp_path / "missing.toml")


NAMES = st.sampled_from(
    [*Installation.model_fields, *Zone.model_fields, *Resource.model_fields, "secret_hash", "jwks", "env", "file", "default"]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4) | st.just(ISSUER),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@example({"env": ""}, False)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(NAMES, JUNK, max_size=6), st.booleans())
def test_a_junk_document_does_not_start_and_raises_nothing_else(document: dict[str, Any], named: bool) -> None:
    with suppress(DidNotStart):
        assert isinstance(parse({**document, **({"issuer": ISSUER} if named else {})}), Settings)


# ── shapes ──────────────────────────────────────────────────────────────────────────────────────────────


class Inner(Shape):
    """One of several."""

    colour: str = Field(description="Its colour.")


class Outer(Shape):
    """A plugin's table."""

    things: tuple[Inner, ...] = Field((), description="Several.")
    named: dict[str, Inner] = Field(default_factory=dict, description="By name.")
    one: Inner | None = Field(None, description="One.")
    some: tuple[Inner, ...] | None = Field(None, min_length=1, description="At least one.")


def test_an_unknown_key_is_suggested_wherever_it_stands() -> None:
    told: list[str] = []
    table = {"thing": 1, "things": [{"colur": "x", "colour": "y"}], "named": {"a": {"colors": 1, "colour": "y"}}, "one": {"zzz": 1}}
    assert validated(Outer, table, "plugins.p.", told) is None
    assert told == [
        "plugins.p.things.0.colur: unknown; did you mean colour?",
        "plugins.p.named.a.colors: unknown; did you mean colour?",
        "plugins.p.one.colour: required",
        "plugins.p.one.zzz: unknown",
        "plugins.p.thing: unknown; did you mean things?",
    ]
    assert suggestion("x", []) == ""


def test_that_too_few_are_left_is_told_only_where_nothing_else_is_wrong_with_them() -> None:
    for some, said in (([], "some: Tuple should have at least 1 item after validation, not 0"), ([{"colour": 5}], "some.0.colour: ")):
        told: list[str] = []
        assert validated(Outer, {"some": some}, "", told) is None
        assert len(told) == 1
        assert told[0].startswith(said)


def test_a_table_that_is_none_is_told_by_its_path() -> None:
    told: list[str] = []
    assert validated(Outer, 5, "plugins.p.", told) is None
    assert told == ["plugins.p: Input should be a valid dictionary or instance of Outer"]
    assert validated(Outer, {"one": {"colour": "x"}}, "", told) == Outer(one=Inner(colour="x"))
