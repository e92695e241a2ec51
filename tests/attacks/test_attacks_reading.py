"""What people bring is read as its format says, and what is not of the format is refused with where it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attacks.canaries import Canaries
from attacks.corpus import Case, Expect, Http, NotACorpus, corpora, read
from attacks.differences import Differences, differences
from attacks.judging import Judgement, fits, judged
from attacks.policies import _says_yes
from attacks.requests import Minted, request
from attacks.sets import PLAYS, play_of
from attacks.skips import Skipped, Why
from attacks.tally import Tally
from attacks.verbs import planned
from attacks.wire import Reply, Request
from cambist.testing import Forge, MovableClock

HERE = Path(__file__).parent
SETS = HERE / "corpora", HERE / "copies"


def laid(folder: Path, document: Any, name: str = "cases.json") -> Path:
    folder.mkdir()
    (folder / name).write_text(json.dumps(document), "utf-8")
    return folder


def case(expect: Expect = "refuse", category: str = "", http: Http = None, oauth_error: tuple[str, ...] = (), **given: Any) -> Case:
    return Case(id="a", expect=expect, category=category, input=given, http=http, oauth_error=oauth_error)


@pytest.mark.parametrize("folder", SETS)
def test_every_set_of_ours_is_of_the_format_and_counts_its_cases(folder: Path) -> None:
    for corpus in corpora(folder):
        said = json.loads((corpus.folder / "cases.json").read_text("utf-8"))["counts"]
        verdicts = [one.expect for one in corpus.cases]
        assert {verdict: verdicts.count(verdict) for verdict in said} == said
        assert len({one.id for one in corpus.cases}) == len(corpus.cases)
        assert play_of(corpus) in PLAYS.values()


def test_a_set_is_read_whole(tmp_path: Path) -> None:
    entry = {"id": "x", "category": "c", "expect": "refuse", "why": "w", "input": {"form": []}, "oauth_error": "e", "http": [400, "4xx"]}
    corpus = read(
        laid(tmp_path / "s", {"corpus": "mine", "format": 1, "at": 5, "context": {"a": 1}, "cases": [{**entry, "no_outbound": True}]})
    )
    assert (corpus.name, corpus.at, corpus.context) == ("mine", 5, {"a": 1})
    assert corpus.cases == (
        Case(id="x", category="c", expect="refuse", input={"form": []}, oauth_error=("e",), http=[400, "4xx"], no_outbound=True),
    )


def test_cases_without_input_have_their_members_in_themselves(tmp_path: Path) -> None:
    (only,) = read(laid(tmp_path / "s", {"cases": [{"name": "y_object_duplicated_key.json", "expect": "accept", "b64": "e30="}]})).cases
    assert (only.id, only.category, only.input) == ("y_object_duplicated_key.json", "object_duplicated_key", {"b64": "e30="})


def test_a_list_of_strings_is_a_set_of_strings(tmp_path: Path) -> None:
    corpus = read(laid(tmp_path / "s", ["a", "b"], "strings.json"))
    assert [one.input for one in corpus.cases] == [{"string": "a"}, {"string": "b"}]
    assert {one.expect for one in corpus.cases} == {"either"}


def test_a_set_of_another_format_keeps_its_name_and_its_size(tmp_path: Path) -> None:
    assert read(laid(tmp_path / "s", {"cases": ["a", "b", "c"]})).elsewhere == 3
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "a.pem").touch()
    assert read(folder).elsewhere == 1


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"format": 1},
        {"format": 1, "cases": [{"id": "a", "expect": "maybe", "input": {}}]},
        {"format": 1, "cases": [{"expect": "accept", "input": {}}]},
        {"format": 1, "at": "noon", "cases": []},
    ],
)
def test_what_is_not_of_the_format_is_told_with_its_folder(tmp_path: Path, document: Any) -> None:
    with pytest.raises(NotACorpus, match=r"/s: "):
        read(laid(tmp_path / "s", document))


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"token": "x", "profile": "oidc"}, "jose-attacks"),
        ({"form": []}, "token-endpoint-requests"),
        ({"sequence": [{"form": []}], "expect_each": ["accept"]}, "token-endpoint-requests"),
        ({"answer": {}}, "policy-results"),
        ({"parallel": {"wasm": "trap"}, "times": 2}, "policy-results"),
        ({"kind": "spiffe", "value": "x"}, "workload-identifiers"),
    ],
)
def test_a_set_of_another_name_is_played_as_what_it_looks_like(tmp_path: Path, members: dict[str, Any], kind: str) -> None:
    document = {"corpus": "of-their-own", "format": 1, "cases": [{"id": "a", "expect": "refuse", "input": members}]}
    assert play_of(read(laid(tmp_path / "s", document))) is PLAYS[kind]
    document["context"] = {"clients": {}}
    assert play_of(read(laid(tmp_path / "t", document))) is PLAYS["client-assertions"]


# ── verbs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_verb_an_input_is_its_only_item() -> None:
    plan = planned(case(form=[["a", "b"]]), "form")
    assert (plan.items, plan.expects, plan.race) == (({"form": [["a", "b"]]},), ("refuse",), None)


def test_items_can_be_whole_inputs_or_what_stands_in_one() -> None:
    bare, whole = [["a", "b"]], {"form": [["c", "d"]], "method": "PUT"}
    plan = planned(case(sequence=[bare, whole], expect_each=["accept", "either"], method="POST"), "form")
    assert plan.items == ({"method": "POST", "form": bare}, {"method": "PUT", "form": [["c", "d"]]})
    assert plan.expects == ("accept", "either")


def test_an_answer_has_headers_and_is_an_item_all_the_same() -> None:
    answer = {"status": 200, "headers": [["content-type", "application/json"]], "body": "{}"}
    assert planned(case(parallel=answer, times=2, max_accepts=0), "answer").items == ({"answer": answer},) * 2


def test_a_verb_can_name_what_its_items_are() -> None:
    assert planned(case(sequence_xml_b64=["eA=="], expect_each=["refuse"]), "form").items == ({"xml_b64": "eA=="},)


@pytest.mark.parametrize(
    "given",
    [
        {"sequence": [[], []], "expect_each": ["accept"]},
        {"sequence": [[]], "expect_each": ["perhaps"]},
        {"sequence": [[]]},
        {"parallel": [], "times": 0},
        {"parallel": [], "times": 10**9},
        {"parallel": [], "times": True},
        {"parallel": [], "times": 2, "max_accepts": "one"},
    ],
)
def test_a_verb_that_cannot_be_understood_is_skipped_by_reason(given: dict[str, Any]) -> None:
    with pytest.raises(Skipped) as caught:
        planned(case(**given), "form")
    assert caught.value.why is Why.INPUT


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spec", "status", "right"),
    [
        (None, 418, True),
        (400, 400, True),
        (400, 401, False),
        ([400, 413], 413, True),
        ([400, 413], 401, False),
        ("2xx|4xx", 204, True),
        ("2xx|4xx", 302, False),
        ("2xx|503", 503, True),
        (["2xx", 400], 201, True),
    ],
)
def test_a_status_is_one_any_of_a_list_or_of_a_kind(spec: Http, status: int, right: bool) -> None:
    assert fits(status, spec) is right


def reply(status: int, body: bytes = b"{}", **more: Any) -> Reply:
    return Reply(status=status, headers=(("content-type", "application/json"), ("cache-control", "no-store")), body=body, **more)


@pytest.mark.parametrize(
    ("body", "unclean"),
    [
        (b'{"error_description":"Expected a JSON object"}', False),
        (b'{"error":"server_error"}', False),
        (b"Traceback (most recent call last)", True),
        (b'  File "/x/y.py", line 3', True),
        (b'{"x":"UnicodeDecodeError: bad"}', True),
        (b"<html><h1>Bad Request", True),
    ],
)
def test_exception_text_is_unclean(body: bytes, unclean: bool) -> None:
    assert bool(judged(case("either"), "either", reply(400, body)).unclean) is unclean


def test_what_was_sent_may_come_back() -> None:
    body = b'{"seen":"java.lang.NullPointerException: x"}'
    assert judged(case("either"), "either", reply(400, body)).unclean
    assert not judged(case("either"), "either", reply(400, body), b"scope=java.lang.NullPointerException: x").unclean


def test_a_5xx_is_clean_only_where_the_case_lists_it() -> None:
    assert judged(case(http=400), "refuse", reply(503)).unclean == ("status 503",)
    assert judged(case(http=[400, 503]), "refuse", reply(503)).unclean == ()
    assert judged(case("either", http="2xx|4xx"), "either", reply(501)).unclean == ("status 501",)


def test_a_declared_difference_excuses_a_refusal_and_nothing_else() -> None:
    tally = Tally("s", differences=Differences({("s", "strict"): "on purpose"}))
    tally.count(case("accept", "strict"), Judgement(False, wrong=("refused",)))
    assert (tally.decided, tally.skipped) == (0, {Why.DIFFERENT: 1})
    tally.count(case("accept", "strict"), Judgement(True))
    tally.count(case("refuse", "strict"), Judgement(True, True, ("accepted",)))
    tally.count(case("accept", "lax"), Judgement(False, wrong=("refused",)))
    assert (tally.right, tally.decided, tally.bad_accepted, tally.controls) == (1, 3, 1, False)
    tally.count(case("accept", "strict"), Judgement(False, wrong=("refused",), unclean=("status 500",)))
    assert tally.unclean == 1


def test_every_declared_difference_says_why(tmp_path: Path) -> None:
    assert all(differences().reasons.values())
    file = tmp_path / "differences.toml"
    file.write_text('[[difference]]\nset = "s"\ncategories = ["c"]\nreason = " "\n', "utf-8")
    with pytest.raises(ValueError, match="needs its reason"):
        differences(file)


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_jwt_is_known_by_its_signature_and_anything_else_by_all_of_it() -> None:
    canaries = Canaries()
    signature, secret = "s" * 43, "correct horse battery staple"
    for kept in (f"aaaa.bbbb.{signature}\n", secret, "short", f"{'x' * 30}.{'y' * 30}"):
        canaries.keep(kept)
    assert len(canaries) == 3
    assert list(canaries.seen_in(f'{{"t":"aaaa.bbbb.{signature}"}}')) == ["ssssss…"]
    assert list(canaries.seen_in(f"<{signature}>")) == ["ssssss…"]
    assert list(canaries.seen_in(f"it was {secret}!")) == ["correc…"]
    assert list(canaries.seen_in("aaaa.bbbb, short, s, correct horse")) == []


# ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_written_as_it_was_given() -> None:
    raw = Request(
        path="/p", method="FOO", query="a=b", headers=[("Host", None), ("x", "\u2028"), ("Content-Length", "-1")], body=b"ab"
    ).raw()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"ab"
    assert head.split(b"\r\n") == [
        b"FOO /p?a=b HTTP/1.1",
        b"content-type: application/x-www-form-urlencoded",
        b"connection: close",
        b"x: \xe2\x80\xa8",
        b"Content-Length: -1",
    ]


def test_headers_can_be_repeated() -> None:
    raw = Request(path="/", headers=[("host", "a"), ("host", "b")]).raw()
    assert raw.count(b"host: ") == 2


def test_an_input_says_how_http_carries_it() -> None:
    item = {
        "form": [["subject_token", "$SUBJECT"], ["audience", "$AUD"]],
        "pad": {"name": "scope", "char": "s", "count": 3},
        "headers": [["X-Request-Id", "a"], ["authorization", "Basic eDp5"]],
        "headers_repeat": ["dpop", "x", 3],
        "content_type": None,
        "method": "PUT",
        "query": "a=b",
    }
    forge = Forge("https://issuer.example.test", "https://sts.example.test", MovableClock())
    made = request(item, Minted(forge, forge, False, {"$SUBJECT": "a.b.c", "$AUD": "https://api.example.test"}))
    head, _, body = made.raw().decode().partition("\r\n\r\n")
    assert head.startswith("PUT /oauth/2/token?a=b HTTP/1.1\r\n")
    assert body == "subject_token=a.b.c&audience=https%3A%2F%2Fapi.example.test&scope=sss"
    assert head.count("dpop: x") == 3
    assert "content-type" not in head.lower()
    assert made.secrets == ("a.b.c", "Basic eDp5")


def test_a_placeholder_is_minted_once_for_a_case_and_an_unknown_one_is_skipped() -> None:
    forge = Forge("https://issuer.example.test", "https://sts.example.test", MovableClock())
    minted = Minted(forge, forge, False)
    assert minted.everywhere({"a": ["$NONCE", 1], "b": "$NONCE"}) == {"a": [minted.filled("$NONCE"), 1], "b": minted.filled("$NONCE")}
    assert Minted(forge, forge, False).filled("$NONCE") != minted.filled("$NONCE")
    assert minted.filled("costs $1.00") == "costs $1.00"
    with pytest.raises(Skipped):
        minted.filled("$NOBODY_KNOWS")


@pytest.mark.parametrize(
    ("script", "yes"),
    [
        ({"body": '{"result": {"allow": true}}'}, True),
        ({"body": '{"result": {"allow": 1}}'}, False),
        ({"status": 500, "body": '{"result": {"allow": true}}'}, False),
        ({"body": "["}, False),
        ({}, False),
    ],
)
def test_a_script_says_yes_only_as_a_policy_engine_would(script: dict[str, Any], yes: bool) -> None:
    assert _says_yes(script) is yes
