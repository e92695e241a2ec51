"""What a line tells of a decision: permitted, refused in every family, cancelled; and that it stays one line."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cambist import Deny, Permit, PolicyInput, Rejected, Secret, Unavailable
from cambist.client_secret import hash_secret
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.trace import Trace
from cambist_audit_log.line import moment
from cambist_audit_log.sealing import MAX_SEALED
from cambist_audit_log.telling import written
from cambist_audit_log.testing import bare, decisions, raw, table

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"

Document = dict[str, Any]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge(IDP, ISSUER, clock)


@asynccontextmanager
async def service(folder: Path, forge: Forge, policy: Scripted | None = None, **more: Any) -> AsyncIterator[Running]:
    audit_log = table(folder, **more.pop("table", {}))
    settings = {
        "authenticates": [JWT_TYPE],
        "plugins": {"audit-log": audit_log, "jwt": {"issuers": [{"issuer": IDP, "jwks": forge.jwks, "delegation": True}]}},
        **more,
    }
    async with open_sts(settings, clock=forge.clock, modules={"scripted": policy or Scripted(Permit())}) as running:
        yield running


def longest(folder: Path) -> int:
    return max(map(len, raw(folder).split(b"\n")))


def last(folder: Path) -> Document:
    return bare(decisions(folder)[-1])


# ── permitted ───────────────────────────────────────────────────────────────────────────────────────────


async def permitted(folder: Path, forge: Forge, token: str) -> tuple[Running, httpx.Response]:
    """A permitted decision of which less was granted than asked."""
    policy = Scripted(Permit(scope=frozenset({"read"}), ttl=120, claims={"tier": "gold"}))
    async with service(folder, forge, policy) as sts:
        answer = await sts.form(subject_token=token, resource=TARGET, scope="read write", ttl_seconds="200")
    assert answer.status_code == 200, answer.text
    return sts, answer


async def test_a_permitted_decision_tells_who_asked_for_what(tmp_path: Path, forge: Forge) -> None:
    token = forge.jwt(jti="credential-1", name="Ada")
    _, answer = await permitted(tmp_path, forge, token)
    told = last(tmp_path)
    assert told == told | {
        "v": 1,
        "decision_id": answer.headers["cambist-decision-id"],
        "at": "2027-01-15T12:00:00.000Z",
        "outcome": "permitted",
        "zone": "default",
        "dialect": "oauth",
        "grant_type": EXCHANGE,
        "client": {
            "id": "wimse://sts.example.test/issuer/https_3a_2f_2fidp.example.test/subject/workload-1",
            "method": "subject",
            "application": False,
        },
        "subject": {
            "issuer": IDP,
            "subject": "workload-1",
            "token_id": "credential-1",
            "expires_at": 1_800_015_000,
            "token_type": JWT_TYPE,
            "sent_as": JWT_TYPE,
            "sha256": hashlib.sha256(token.encode()).hexdigest(),
        },
        "asked": {"targets": [TARGET], "scope": ["read", "write"], "ttl": 200},
    }
    assert told.keys().isdisjoint({"reason", "actor", "chain", "refusal", "left_out", "shortened"})


async def test_a_permitted_decision_tells_what_was_granted_and_by_which_rules(tmp_path: Path, forge: Forge) -> None:
    _, answer = await permitted(tmp_path, forge, forge.jwt())
    told, token = last(tmp_path), Compact.parse(answer.json()["access_token"])
    assert told["policy"] == {"name": "scripted", "revision": "test", "answer": "permit", "scope": ["read"], "ttl": 120, "claims": ["tier"]}
    assert told["granted"] == {
        "audience": [TARGET],
        "scope": ["read"],
        "lifetime": 120,
        "expires_at": 1_800_014_520,
        "jti": token.claims["jti"],
        "kid": token.header["kid"],
        "token_type": "urn:ietf:params:oauth:token-type:access_token",
    }


async def test_every_step_is_told_with_its_time_and_what_came_of_it(tmp_path: Path, forge: Forge) -> None:
    sts, _ = await permitted(tmp_path, forge, forge.jwt())
    steps = last(tmp_path)["steps"]
    assert [(step["name"], step["microseconds"]) for step in steps] == [(s.name, s.microseconds) for s in sts.records[-1].trace.steps]
    outcomes = {step["name"]: step["outcome"] for step in steps}
    assert outcomes == outcomes | {
        "zone": "open zone",
        "client": "nothing",
        "targets": "1 target",
        "subject": "proven",
        "policy": "permit",
        "ruling": "entitlement",
        "spend": "nothing",
        "mint": "minted token",
    }


async def test_an_actor_and_the_chain_are_told(tmp_path: Path, forge: Forge) -> None:
    application = {"secret_hash": hash_secret("a secret of the shop's own"), "identities": [{"issuer": IDP, "subject": "agent"}]}
    async with service(tmp_path, forge, applications={"shop": application}) as sts:
        answer = await sts.form(
            subject_token=forge.jwt(act={"sub": "earlier"}),
            actor_token=forge.jwt(sub="agent"),
            actor_token_type=JWT_TYPE,
            audience=TARGET,
            client_id="shop",
            client_secret="a secret of the shop's own",
        )
        assert answer.status_code == 200, answer.text
    told = last(tmp_path)
    assert told["client"] == {"id": "shop", "method": "urn:cambist:token-type:client-secret", "application": True}
    assert (told["actor"]["issuer"], told["actor"]["subject"], len(told["actor"]["sha256"])) == (IDP, "agent", 64)
    assert told["chain"] == [{"issuer": IDP, "subject": "agent"}, {"issuer": IDP, "subject": "earlier"}]


async def test_an_action_is_told_with_its_nonce_hashed(tmp_path: Path, forge: Forge) -> None:
    action = {"htm": "POST", "htu": f"{TARGET}/1", "nonce": "nonce-of-the-day", "payload_hash": "A" * 43}
    async with service(tmp_path, forge) as sts:
        await sts.json(subject_token=forge.jwt(), audience=TARGET, execution_scope=action)
    assert last(tmp_path)["asked"]["execution"] == {
        "htm": "POST",
        "htu": f"{TARGET}/1",
        "payload_hash": "A" * 43,
        "nonce_sha256": hashlib.sha256(b"nonce-of-the-day").hexdigest(),
    }


async def test_both_names_of_a_type_are_kept(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        await sts.form(subject_token="AKIA", subject_token_type="urn:starfly:token-type:oidc", audience=TARGET)
    subject = last(tmp_path)["subject"]
    assert (subject["token_type"], subject["sent_as"]) == ("urn:ietf:params:oauth:token-type:id_token", "urn:starfly:token-type:oidc")


async def test_an_application_that_asks_for_itself_is_the_subject(tmp_path: Path, forge: Forge) -> None:
    application = {"secret_hash": hash_secret("a secret of the shop's own"), "grants": ["client_credentials"]}
    async with service(tmp_path, forge, applications={"shop": application}) as sts:
        secret = "a secret of the shop's own"
        answer = await sts.form(grant_type="client_credentials", audience=TARGET, client_id="shop", client_secret=secret)
        assert answer.status_code == 200, answer.text
    told = last(tmp_path)
    assert told["subject"] == {"issuer": ISSUER, "subject": "shop"}
    assert told["grant_type"] == "client_credentials"


async def test_attributes_are_written_only_where_the_operator_named_them(tmp_path: Path, forge: Forge) -> None:
    claims: dict[str, Any] = {
        "name": "Ada",
        "email": "ada@example.test",
        "groups": ["a", "b"],
        "deep": {"x": {"y": {"z": {"w": {"u": 1}}}}},
    }
    silent, telling = tmp_path / "silent", tmp_path / "telling"  # two chains of one moment have no order
    for folder in (silent, telling):
        folder.mkdir()
    async with service(silent, forge) as sts:
        await sts.form(subject_token=forge.jwt(**claims), audience=TARGET)
        assert "attributes" not in last(silent)["subject"]
        assert "Ada" not in raw(silent).decode()
    async with service(telling, forge, table={"attributes": ["groups", "deep", "absent"]}) as sts:
        await sts.form(subject_token=forge.jwt(**claims), audience=TARGET)
        assert last(telling)["subject"]["attributes"] == {"groups": ["a", "b"], "deep": {"x": {"y": {"z": {"w": "<dict>"}}}}}
        assert "ada@example.test" not in raw(telling).decode()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_800_014_400.0, "2027-01-15T12:00:00.000Z"),
        (1_800_014_400.9999, "2027-01-15T12:00:00.999Z"),
        (1_800_014_400.0015, "2027-01-15T12:00:00.001Z"),
    ],
)
def test_times_are_in_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert moment(seconds) == text


# ── refused ─────────────────────────────────────────────────────────────────────────────────────────────


class Raising(Scripted):
    """A policy that raises."""

    def __init__(self, error: Exception) -> None:
        super().__init__(Permit())
        self.error = error

    async def decide(self, question: PolicyInput) -> Permit:
        raise self.error


Ask = Callable[[Forge], Mapping[str, Any]]


def asking(**more: Any) -> Ask:
    def ask(forge: Forge) -> Mapping[str, Any]:
        return {"subject_token": forge.jwt(), "audience": TARGET, **more}

    return ask


def bearing(**claims: Any) -> Ask:
    def ask(forge: Forge) -> Mapping[str, Any]:
        return {"subject_token": forge.jwt(**claims), "audience": TARGET}

    return ask


REFUSED: list[tuple[str, Ask, Scripted | None, str, str | None, str | None]] = [
    # family, what is asked, the policy, the reason, the role, the last step
    ("malformed", asking(scope="a  b"), None, "scope_malformed", None, None),
    ("malformed", asking(zone_id="none"), None, "zone_unknown", None, "zone"),
    ("caller", asking(client_id="shop", client_secret="wrong secret of nobody"), None, "client_authentication_failed", "client", "client"),
    ("unclaimed", bearing(iss="https://other.example.test"), None, "issuer_not_trusted", "subject", "subject"),
    ("rejected", bearing(exp=1), None, "credential_expired", "subject", "subject"),
    ("rejected", bearing(aud="https://other.example.test"), None, "audience_mismatch", "subject", "subject"),
    ("denied", asking(), Scripted(Deny(reasons=("not on Sundays",))), "policy_denied", None, "policy"),
    ("denied", asking(), Scripted(Deny(targets=(TARGET,))), "target_denied", None, "policy"),
    ("denied", asking(scope="write"), Scripted(Permit(scope=frozenset())), "scope_denied", None, "policy"),
    (
        "unavailable",
        asking(),
        Raising(Unavailable(what="the rules", cause="they are being written")),
        "temporarily_unavailable",
        None,
        "policy",
    ),
    ("fault", asking(), Raising(ZeroDivisionError("by zero")), "plugin_fault", None, "policy"),
]


@pytest.mark.parametrize("dialect", ["form", "json"])
@pytest.mark.parametrize(("family", "ask", "policy", "reason", "role", "step"), REFUSED, ids=[f"{row[0]}-{row[3]}" for row in REFUSED])
async def test_a_refusal_is_told_with_its_reason_and_where_the_story_ended(
    tmp_path: Path,
    forge: Forge,
    dialect: str,
    family: str,
    ask: Ask,
    policy: Scripted | None,
    reason: str,
    role: str | None,
    step: str | None,
) -> None:
    async with service(tmp_path, forge, policy) as sts:
        answer = await getattr(sts, dialect)(**ask(forge))
        [told] = decisions(tmp_path)
    assert answer.json()["decision_id"] == told["decision_id"]
    assert (told["outcome"], told["reason"], told["refusal"]["reason"]) == ("refused", reason, reason)
    assert told["refusal"].get("role") == role
    assert told["refusal"]["said"]
    assert "granted" not in told
    assert [s["name"] for s in told.get("steps", [])][-1:] == ([] if step is None else [step])


async def test_the_step_that_failed_says_what_the_caller_was_not_told(tmp_path: Path, forge: Forge) -> None:
    policy = Raising(Unavailable(what="the rules", cause="they are being written"))
    async with service(tmp_path, forge, policy) as sts:
        await sts.form(**asking()(forge))
    told = last(tmp_path)
    step = told["steps"][-1]
    assert (step["name"], step["outcome"], step["reason"]) == ("policy", "refused", "temporarily_unavailable")
    assert step["facts"] | {"what": "the rules", "cause": "they are being written"} == step["facts"]
    assert told["refusal"]["facts"] == step["facts"]
    assert told["policy"] == {"name": "scripted", "revision": "test"}


async def test_what_the_policy_said_only_to_the_ledger_is_told(tmp_path: Path, forge: Forge) -> None:
    policy = Scripted(Deny(reasons=("blocked: workload-1", "not on Sundays"), said=("not on Sundays",)))
    async with service(tmp_path, forge, policy) as sts:
        await sts.form(**asking()(forge))
    told = last(tmp_path)
    assert told["policy"] == {
        "name": "scripted",
        "revision": "test",
        "answer": "deny",
        "reasons": ["blocked: workload-1", "not on Sundays"],
    }
    assert told["subject"]["subject"] == "workload-1"


async def test_what_an_unproved_caller_says_it_is_is_told_as_a_claim(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        await sts.form(**asking(client_id="shop", client_secret="wrong secret of nobody")(forge))
    assert last(tmp_path)["client"] == {"claimed": "shop", "method": "urn:cambist:token-type:client-secret"}


async def test_a_request_that_cannot_be_read_has_a_line(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        await sts.http.post("/v1/exchange/token", content=b"{", headers={"content-type": "application/json"})
        await sts.http.put("/oauth/2/token")
    first, second = decisions(tmp_path)
    assert (first["reason"], "zone" in first, "steps" in first) == ("malformed", False, False)
    assert second["reason"] == "method_not_allowed"


async def test_a_caller_who_hangs_up_is_told_as_cancelled(tmp_path: Path, forge: Forge) -> None:
    waiting = asyncio.Event()

    class Slow(Scripted):
        async def decide(self, question: PolicyInput) -> Permit:
            waiting.set()
            await asyncio.sleep(60)
            return Permit()

    async with service(tmp_path, forge, Slow(Permit())) as sts:
        from cambist.exchange import exchange

        reading = sts.records  # every decision that the ledger was told of
        call = asyncio.create_task(
            exchange(sts.sts.zones, sts.sts.ledger, lambda: _request(forge), deadline=30),
        )
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert len(reading) == 1
    [told] = decisions(tmp_path)
    assert (told["outcome"], "reason" in told) == ("cancelled", False)
    assert told["steps"][-1] | {"name": "policy", "outcome": "failed", "reason": "CancelledError"} == told["steps"][-1]


def _request(forge: Forge) -> Any:
    from cambist import Credential, Role
    from cambist.request import Dialect, ExchangeRequest

    subject = Credential(token=forge.jwt(), token_type=JWT_TYPE, role=Role.SUBJECT)
    return ExchangeRequest(dialect=Dialect.OAUTH, grant_type=EXCHANGE, subject=subject, targets=(TARGET,))


# ── one line, whatever a stranger sends ─────────────────────────────────────────────────────────────────

HOSTILE = [
    '"}\n{"v":1,"outcome":"permitted","decision_id":"forged"}\n',
    "a\r\nb",
    "a\u2028b\u2029c\u0085d",
    "\x1b[2J\x9b31m\x7f",
    "\u202egnp.exe\u2066",
    "\ud800",
    "\0",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_line_stays_one_line_and_shows_nothing_that_moves_a_cursor(tmp_path: Path, forge: Forge, text: str) -> None:
    class Denying(Scripted):
        async def decide(self, question: PolicyInput) -> Deny:
            return Deny(reasons=(text,))

    async with service(tmp_path, forge, Denying(Permit())) as sts:
        await sts.form(**asking()(forge))
        clean = "\ud800" not in text
        await sts.form(**(bearing(sub=f"x{text}") if clean else asking())(forge))
    whole = raw(tmp_path).decode()
    assert len(whole.splitlines()) == 2 + 2, "also for a reader who knows every line separator of Unicode"
    assert not any(c in whole.replace("\n", "") for c in "\0\r\x1b\x7f\x85\x9b\u2028\u202e\u2066")
    first, second = decisions(tmp_path)
    assert first["policy"]["reasons"] == [text if clean else "\\ud800"]
    assert second["subject"].get("subject") in (f"x{text}", "workload-1", None)


async def test_a_long_text_is_cut_and_says_how_long_it_was(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, Scripted(Deny(reasons=("because " * 1_000,)))) as sts:
        await sts.form(**asking()(forge))
    [reason] = last(tmp_path)["policy"]["reasons"]
    assert reason == f"{('because ' * 1_000)[:1024]}… (8000 characters)"


async def test_a_long_list_is_cut_and_says_how_much_is_missing(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, Scripted(Permit(scope=frozenset({"s0"})))) as sts:
        await sts.form(**asking(scope=" ".join(f"s{n}" for n in range(700)))(forge))
    scope = last(tmp_path)["asked"]["scope"]
    assert (scope[:2], scope[-1]) == (["s0", "s1"], "… and 600 more")


async def test_a_line_that_would_be_too_long_leaves_out_details_and_says_which(tmp_path: Path, forge: Forge) -> None:
    facts = {f"fact {n}": "é" * 2_000 for n in range(40)}
    async with service(tmp_path, forge, Raising(Rejected("no", **facts))) as sts:
        await sts.form(**asking()(forge))
    assert longest(tmp_path) <= MAX_SEALED
    told = last(tmp_path)
    assert told["shortened"] == ["facts", "refusal"]
    assert (told["outcome"], told["reason"]) == ("refused", "credential_rejected")
    assert told["steps"][-1] | {"name": "policy", "outcome": "refused", "reason": "credential_rejected"} == told["steps"][-1]
    assert (told["subject"]["subject"], told["asked"]["targets"]) == ("workload-1", [TARGET])


async def test_the_largest_of_everything_still_fits(tmp_path: Path, forge: Forge) -> None:
    loud, name = "\x01" * 1_000, '"' * 1_000  # six bytes each in JSON, and two
    claims: dict[str, Any] = {"sub": name, "email": {f"{n}": loud for n in range(3)}}
    for n in range(2):
        claims["act"] = {"sub": f"{name}{n}", **({"act": claims["act"]} if "act" in claims else {})}
    async with service(tmp_path, forge, Scripted(Deny(reasons=(loud,) * 4)), table={"attributes": ["email"]}, max_token=60_000) as sts:
        await sts.form(subject_token=forge.jwt(**claims), audience=TARGET, scope=" ".join(f"s{n}" * 30 for n in range(40)))
    told = last(tmp_path)
    assert longest(tmp_path) <= MAX_SEALED
    assert (told["v"], told["outcome"], bool(told["decision_id"]), told["subject"]["subject"]) == (1, "refused", True, name)
    assert told["shortened"], told


async def test_what_is_no_plain_value_is_told_by_its_type(tmp_path: Path, forge: Forge) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("not even this")

    facts = {
        "odd": Odd(),
        "bytes": b"raw",
        "secret": Secret("hush"),
        "large": 2**70,
        "no": float("nan"),
        "set": {1},
        "yes": True,
        "none": None,
    }
    async with service(tmp_path, forge, Raising(Rejected("no", **facts))) as sts:
        await sts.form(**asking()(forge))
    assert (
        last(tmp_path)["refusal"]["facts"]
        | {
            "odd": "<Odd>",
            "bytes": "<bytes>",
            "secret": "<Secret>",
            "large": str(2**70),
            "no": "nan",
            "set": [1],
            "yes": True,
            "none": None,
        }
        == last(tmp_path)["refusal"]["facts"]
    )


async def test_a_decision_that_cannot_be_told_has_a_line_all_the_same(
    tmp_path: Path, forge: Forge, caplog: pytest.LogCaptureFixture
) -> None:
    class Unspeakable(dict[str, object]):
        def items(self) -> Any:
            raise RuntimeError("hush")

    refusal = Rejected("no")
    refusal.facts = Unspeakable()
    async with service(tmp_path, forge, Raising(refusal)) as sts:
        answer = await sts.form(**asking()(forge))
    told = last(tmp_path)
    assert (told["decision_id"], told["reason"], told["untold"]) == (answer.json()["decision_id"], "credential_rejected", "RuntimeError")
    assert "cannot be told: RuntimeError" in caplog.text


async def test_a_policy_that_cannot_say_its_revision_leaves_a_line_without(tmp_path: Path, forge: Forge) -> None:
    class Shy(Scripted):
        @property
        # A property, where the kit has a plain attribute.
        def revision(self) -> str:  # type: ignore[override]
            if self.asked:
                raise RuntimeError("not now")
            return "shy"

    async with service(tmp_path, forge, Shy(Permit())) as sts:
        assert (await sts.form(**asking()(forge))).status_code == 200
    assert last(tmp_path)["policy"] == {"name": "scripted", "answer": "permit"}


@pytest.mark.parametrize("answer", [Permit(revision="of the answer"), Deny(revision="of the answer")])
async def test_the_rules_that_decided_are_told_though_the_policy_has_others_by_now(
    tmp_path: Path, forge: Forge, answer: Permit | Deny
) -> None:
    async with service(tmp_path, forge, Scripted(answer)) as sts:
        await sts.form(**asking()(forge))
    assert last(tmp_path)["policy"]["revision"] == "of the answer"


def test_a_trace_without_steps_is_told(clock: MovableClock) -> None:
    from cambist import Record

    told = json.loads(written(Record(decision_id="x", outcome="permitted", at=clock(), trace=Trace("x", clock())), (), 0))
    assert told == {"v": 1, "decision_id": "x", "at": "2027-01-15T12:00:00.000Z", "outcome": "permitted"}
