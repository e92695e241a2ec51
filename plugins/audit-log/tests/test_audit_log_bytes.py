"""A line is, byte for byte, what its description says, built here the long way: each member told, what is empty taken out, then JSON."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

import pytest

from cambist import Credential, Deny, Identity, Permit, PolicyInput, Proven, Record, Refusal, Rejected, Role, Unavailable
from cambist.caller import Caller
from cambist.client_secret import CLIENT_SECRET
from cambist.entitlement import Entitlement
from cambist.errors import Expired, Malformed
from cambist.request import Dialect, ExchangeRequest, ExecutionScope, Presented
from cambist.token import MintedToken
from cambist.token_type import ALIASES, KNOWN
from cambist.trace import Step, Trace
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, Application
from cambist_audit_log.line import MAX_LINE
from cambist_audit_log.steps import _WORDS
from cambist_audit_log.telling import untold, written

Document = dict[str, Any]
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"

# ── the description ─────────────────────────────────────────────────────────────────────────────────────


class Reference:
    """The line of one record."""

    def __init__(self, record: Record, attributes: Sequence[str], left_out: int) -> None:
        self.record, self.attributes, self.left_out = record, attributes, left_out
        self.came = {step.name: step.outcome for step in record.trace.steps}
        self.request = self.one("request", ExchangeRequest)
        self.secrets = list(secrets_of(self.request)) if self.request else []

    def one(self, name: str, kind: type[Any]) -> Any:
        return self.came[name] if isinstance(self.came.get(name), kind) else None

    def line(self) -> bytes:
        outcome = self.record.outcome
        plain = outcome if outcome in ("permitted", "cancelled") else "refused"
        at = datetime.fromtimestamp(math.floor(self.record.at), UTC).strftime("%Y-%m-%dT%H:%M:%S")
        document = {
            "v": 1,
            "decision_id": self.record.decision_id,
            "at": f"{at}.{math.floor((self.record.at - math.floor(self.record.at)) * 1000):03d}Z",
            "outcome": plain,
            "reason": outcome if plain == "refused" else None,
            **(self.exchange(self.request) if self.request else {}),
            "policy": self.policy(),
            "granted": self.granted() if outcome == "permitted" else None,
            "refusal": self.refusal(self.record.refusal) if self.record.refusal else None,
            "steps": [self.step(step) for step in self.record.trace.steps],
            "left_out": self.left_out,
        }
        return fitted(full(document))

    def exchange(self, request: ExchangeRequest) -> Document:
        question = self.one("question", PolicyInput)
        return {
            "zone": self.text(request.zone_id),
            "dialect": request.dialect,
            "grant_type": self.text(request.grant_type),
            "client": self.client(request, question.client if question else self.one("client", Caller)),
            "subject": self.party(request.subject, self.one("subject", Proven)),
            "actor": self.party(request.actor, self.one("actor", Proven)),
            "chain": [{"issuer": name(who.issuer), "subject": name(who.subject)} for who in self.one("delegation", tuple) or ()],
            "asked": self.asked(request),
        }

    def client(self, request: ExchangeRequest, caller: Caller | None) -> Document:
        if caller is not None:
            return {"id": name(caller.id), "method": caller.method, "application": caller.application is not None}
        told = {"claimed": self.text(request.client_id or ""), "method": request.client.token_type if request.client else ""}
        return full(told)

    def party(self, credential: Credential | None, proven: Proven | None) -> Document:
        told: Document = {}
        if proven is not None:
            given = proven.identity.attributes
            told |= {"issuer": name(proven.identity.issuer), "subject": name(proven.identity.subject)}
            told |= {} if proven.token_id is None else {"token_id": name(proven.token_id)}
            told |= {} if math.isinf(proven.expires_at) else {"expires_at": math.floor(proven.expires_at)}
            told |= full({"attributes": {key: self.plain(given[key]) for key in self.attributes if key in given}})
        if credential is not None:
            told["token_type"] = self.text(credential.token_type)
            told |= full({"sent_as": self.text(credential.wire_type)})
            told["sha256"] = hashlib.sha256(credential.token.encode(errors="surrogatepass")).hexdigest()
        return told

    def asked(self, request: ExchangeRequest) -> Document:
        told: Document = {"targets": self.texts(request.targets), "scope": self.texts(request.scope)}
        told |= {"token_type": self.text(request.requested_token_type or ""), "ttl": request.ttl}
        if (action := request.execution) is not None:
            named = {"htm": self.text(action.htm), "htu": self.text(action.htu), "payload_hash": self.text(action.payload_hash or "")}
            nonce = hashlib.sha256(action.nonce.encode(errors="surrogatepass")).hexdigest()
            told["execution"] = {**full(named), "nonce_sha256": nonce}
        return full(told)

    def policy(self) -> Document | None:
        answer = self.came.get("policy")
        if answer is None:
            return None
        rules = getattr(self.came.get("zone"), "policy", None)
        revision = said(answer, "revision") if getattr(answer, "revision", None) else said(rules, "revision")
        told: Document = {"name": said(rules, "name"), "revision": revision}
        if isinstance(answer, Permit):
            told |= {"answer": "permit", "scope": self.texts(sorted(answer.scope or ())), "ttl": answer.ttl}
            told |= {"claims": self.texts(sorted(answer.claims))}
        if isinstance(answer, Deny):
            told |= {"answer": "deny", "reasons": self.texts(answer.reasons), "targets": self.texts(answer.targets)}
        return full(told)

    def granted(self) -> Document | None:
        ruling, minted = self.one("ruling", Entitlement), self.one("mint", MintedToken)
        if ruling is None or minted is None:
            return None
        told = {"audience": self.texts(ruling.audience), "scope": self.texts(ruling.scope)}
        told |= {"lifetime": ruling.expires_at - ruling.issued_at, "expires_at": ruling.expires_at, "jti": minted.token_id}
        return full({**told, "kid": getattr(self.came.get("key"), "kid", None), "token_type": minted.issued_token_type})

    def refusal(self, refusal: Refusal) -> Document:
        empty: object = {}
        told = {"reason": refusal.reason, "role": refusal.role, "said": self.text(refusal.said)}
        told |= {"expected": self.plain(refusal.expected), "seen": self.plain(refusal.seen), "facts": self.plain(refusal.facts)}
        return {key: value for key, value in told.items() if value is not None and value != empty}

    def step(self, step: Step) -> Document:
        told: Document = {"name": step.name, "microseconds": (step.ended - step.started) // 1000}
        outcome = step.outcome
        if isinstance(outcome, Refusal):
            return {**told, "outcome": "refused", "reason": outcome.reason, **full({"facts": self.plain(outcome.facts)})}
        if isinstance(outcome, BaseException):
            return {**told, "outcome": "failed", "reason": type(outcome).__name__}
        if isinstance(outcome, tuple) and outcome:
            return {**told, "outcome": f"{len(outcome)} {words(outcome[0])}{'s' if len(outcome) > 1 else ''}"}
        return {**told, "outcome": "nothing" if outcome == () else words(outcome)}

    def plain(self, value: Any, depth: int = 4) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if abs(value) < 2**53 else str(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping) and depth:
            return {self.text(str(key)): self.plain(inner, depth - 1) for key, inner in list(value.items())[:100]}
        if isinstance(value, list | tuple | set | frozenset) and depth:
            return [self.plain(inner, depth - 1) for inner in list(value)[:100]]
        return f"<{type(value).__name__}>"

    def texts(self, texts: Sequence[str]) -> list[str]:
        room, told = 4096, []
        for text in texts[:100]:
            room -= min(len(text), 1024)
            if room < 0:
                break
            told.append(self.text(text))
        missing = len(texts) - len(told)
        return [*told, f"… and {missing} more"] if missing else told

    def text(self, text: str) -> str:
        if text in {*KNOWN, *ALIASES, TOKEN_EXCHANGE, CLIENT_CREDENTIALS}:
            return text
        if len(text := name(text, 1024)) < 11:
            return text
        if self.quotes(text):
            text = re.sub(r"[^\s\"'(){}<>,;]+", lambda word: "[withheld]" if self.quotes(word[0]) else word[0], text)
            if self.quotes(text):
                return "[withheld]"
        text = re.sub(r"(?a:eyJ[\w-]{8,}(?:\.[\w-]*)*)", "[withheld]", text)
        return re.sub(r"(?a:[\w+/=-]{40,})", lambda run: "[withheld]" if is_random(run[0]) else run[0], text)

    def quotes(self, text: str) -> bool:
        return len(text) >= 11 and any(shares(secret, text) for secret in self.secrets)


def secrets_of(request: ExchangeRequest) -> Iterator[str]:
    for credential in (request.subject, request.actor, request.client):
        if credential is not None and credential.token_type == CLIENT_SECRET:
            secret = credential.token.partition(":")[2]
            yield from (secret, unquote(secret))
        elif credential is not None:
            yield credential.token
    yield from [request.presented.dpop] if request.presented.dpop is not None else []
    yield from [request.execution.nonce] if request.execution is not None else []


def shares(secret: str, text: str) -> bool:
    """The shorter is cut into pieces; where both are long, always the text."""
    cut, whole = (text, secret) if len(text) < len(secret) or len(secret) * len(text) > 100_000 else (secret, text)
    return any(cut[start : start + 6] in whole for start in range(0, len(cut) - 5, 6))


def is_random(run: str) -> bool:
    return any(c.islower() for c in run) and any(c.isupper() for c in run) and any(c.isdigit() for c in run)


def name(text: str, most: int = 4096) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def said(rules: object, member: str) -> str | None:
    try:
        return name(str(getattr(rules, member)))
    except Exception:
        return None


def words(value: object) -> str:
    kind = type(value).__name__
    return "nothing" if value is None else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind.lstrip("_")).lower()


def full(document: Document) -> Document:
    return {key: value for key, value in document.items() if value}


def fitted(document: Document) -> bytes:
    shortened: list[str] = []
    for detail in ("attributes", "facts", "refusal", "asked", "policy", "chain", "steps"):
        if len(line := as_json(document)) <= MAX_LINE:
            return line
        less = {key: value for key, value in document.items() if key not in (detail, "shortened")}
        if detail == "attributes":
            less |= {who: without(less[who], detail) for who in ("subject", "actor") if who in less}
        if detail == "facts" and "steps" in less:
            less |= {"steps": [without(step, detail) for step in less["steps"]]}
        if less != without(document, "shortened"):
            shortened.append(detail)
            document = {**less, "shortened": shortened}
    return as_json(document)


def without(document: Document, member: str) -> Document:
    return {key: value for key, value in document.items() if key != member}


def as_json(document: Document) -> bytes:
    """The library's JSON, but for its spaces; besides what JSON escapes, what moves a cursor or turns the direction of text."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    hidden = "[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    return re.sub(hidden, lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def assert_as_described(record: Record, attributes: Sequence[str] = (), left_out: int = 0) -> None:
    assert written(record, attributes, left_out).decode() == Reference(record, attributes, left_out).line().decode()


# ── records of every kind ───────────────────────────────────────────────────────────────────────────────

TEXTS = [
    *("", "s", "default", "read", "orders:write", "https://orders.example.test", "a very usual text, and no secret", JWT_TYPE),
    *(
        '"}\n{"v":1}',
        "\x1b[2J\x9b31m\x7f",
        "\u202egnp.exe\u2066",
        "a\u2028b\u0085c",
        "\ud800",
        "\0",
        "é\udfff and a lone half",
        "'quoted' <text>",
    ),
    *("A1b2" * 12, "0123456789abcdef" * 4, "eyJhbGciOiJub25lIn0.e30.", "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"),
    *("because " * 300, "\x01" * 1_100, "é" * 1_025, "name" * 1_100),
]
SECRETS = [
    *(
        "short",
        "short-but-secret",
        "söme-sécret-ünicode",
        "with a \ud800 half",
        'quo"ted\\secret/with+marks',
        "Kx9/vT+2 pQ7:mZ&4wR=8nB%s3L",
    ),
    *("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ3ZWItMSJ9.c2lnbmF0dXJlLW9mLWFsbA" * 8, "because " * 50, "ab" * 8_000),
]
NUMBERS = [0, 1, -1, 2**53, -(2**70), 0.0, -1.5, 1e300, math.inf, math.nan]
SCOPES = tuple(f"s{n}" for n in range(130))


@dataclass
class Rules:
    """A policy that says what it is, or cannot."""

    name: str
    told: str | None

    @property
    def revision(self) -> str:
        if self.told is None:
            raise RuntimeError("not now")
        return self.told


@dataclass
class OpenZone:
    policy: Rules


@dataclass
class _SigningKey:
    kid: str


class Loud(Rejected):
    """Of a plugin's own."""

    reason = "too_loud"


class Drawn:
    """A record by chance: its texts are of every kind, and some quote a secret of the same request."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.secrets = [self.one(SECRETS) for _ in range(5)]

    def one(self, values: Sequence[Any]) -> Any:
        return self.chance.choice(values)

    def maybe(self, make: Callable[[], Any]) -> Any:
        return make() if self.chance.random() < 0.6 else None

    def text(self) -> str:
        if self.chance.random() < 0.6:
            return str(self.one(TEXTS))
        secret = self.one(self.secrets)
        start = self.chance.randrange(len(secret))
        quoted = secret[start : start + self.chance.randint(1, 30)]
        return str(self.one([quoted, f"{TARGET}/?{quoted}", f"it was '{quoted}', she said", f"{quoted}{self.one(TEXTS)}"]))

    def texts(self) -> tuple[str, ...]:
        return SCOPES if self.chance.random() < 0.1 else tuple(self.text() for _ in range(self.one([0, 0, 1, 1, 2, 5, 9])))

    def value(self, depth: int = 0) -> Any:
        kinds: list[Callable[[], Any]] = [
            self.text,
            lambda: self.one(NUMBERS),
            lambda: self.one([None, True, False, b"raw", {7}, object()]),
        ]
        if depth < 6:
            many = range(self.one([0, 1, 2, 3]))
            kinds += [lambda: [self.value(depth + 1) for _ in many], lambda: {self.text(): self.value(depth + 1) for _ in many}]
        return self.one(kinds)()

    def number(self, most: int) -> int:
        return self.chance.randint(0, most) if self.chance.random() < 0.8 else 0

    def request(self) -> ExchangeRequest:
        return ExchangeRequest(
            dialect=self.one(list(Dialect)),
            grant_type=self.one([TOKEN_EXCHANGE, self.text()]),
            zone_id=self.one(["default", self.text()]),
            subject=self.maybe(lambda: self.credential(0, Role.SUBJECT, JWT_TYPE)),
            actor=self.maybe(lambda: self.credential(1, Role.ACTOR, JWT_TYPE)),
            client=self.maybe(lambda: self.credential(2, Role.CLIENT, CLIENT_SECRET)),
            client_id=self.maybe(self.text),
            targets=self.texts(),
            scope=self.texts(),
            requested_token_type=self.maybe(self.text),
            ttl=self.maybe(lambda: self.number(4_000)),
            execution=self.maybe(self.action),
            presented=Presented(dpop=self.maybe(lambda: self.secrets[4])),
        )

    def action(self) -> ExecutionScope:
        return ExecutionScope(htm=self.text(), htu=self.text(), nonce=self.secrets[3], payload_hash=self.maybe(self.text))

    def credential(self, which: int, role: Role, token_type: str) -> Credential:
        secret = self.secrets[which]
        token = f"shop:{quote(secret, errors='replace')}" if token_type == CLIENT_SECRET else secret
        kind = self.one([token_type, JWT_TYPE if role is Role.CLIENT else self.text()])
        return Credential(token=token, token_type=kind, role=role, wire_type=self.one(["", self.text()]))

    def identity(self) -> Identity:
        attributes = {name: self.value() for name in ("groups", "email", "deep") if self.one([True, False])}
        return Identity(issuer=self.text(), subject=self.text(), attributes=attributes)

    def proven(self) -> Proven:
        return Proven(identity=self.identity(), expires_at=self.one([math.inf, 0.5, 2e9]), token_id=self.maybe(self.text))

    def caller(self) -> Caller:
        method = self.one([Role.SUBJECT, CLIENT_SECRET])
        return Caller(id=self.text(), proven=self.proven(), method=method, application=self.maybe(Application))

    def answer(self) -> Permit | Deny:
        revision = self.maybe(self.text)
        if self.one([True, False]):
            return Deny(reasons=self.texts(), targets=self.texts(), revision=revision)
        claims = {self.text(): self.value() for _ in range(self.one([0, 2]))}
        return Permit(
            scope=self.maybe(lambda: frozenset(self.texts())), ttl=self.maybe(lambda: self.number(900)), claims=claims, revision=revision
        )

    def ruling(self, request: ExchangeRequest, who: Identity) -> Entitlement:
        return Entitlement(
            dialect=request.dialect,
            issued_token_type=None,
            subject=who,
            chain=(),
            client_id="",
            audience=self.texts(),
            scope=self.texts(),
            issued_at=1_800_000_000,
            expires_at=1_800_000_000 + self.number(900),
            claims={},
            execution=None,
            transaction=None,
            marks=(),
        )

    def minted(self) -> MintedToken:
        return MintedToken(token="", token_id="jti", decision_id="", issued_token_type=self.one([None, JWT_TYPE]), expires_in=1, scope=())

    def refusal(self) -> Refusal:
        kind = self.one([Rejected, Loud, Malformed, Expired, Unavailable])
        facts = {name: self.value() for name in ("what", "cause", "a fact") if self.one([True, False])}
        refusal: Refusal = kind(self.text(), expected=self.value(), seen=self.value(), **facts)
        refusal.role = self.maybe(lambda: self.one(list(Role)))
        return refusal

    def story(self) -> Iterator[tuple[str, object]]:
        zone: Any = OpenZone(Rules(self.text(), self.maybe(self.text)))
        request, subject, actor, caller = self.request(), self.proven(), self.proven(), self.caller()
        chain = tuple(self.identity() for _ in range(self.number(3)))
        yield "request", request
        yield "zone", zone
        yield "client", self.one([None, caller])
        yield "subject", subject
        yield "targets", request.targets
        yield from [("actor", actor)] if request.actor else []
        yield "delegation", chain
        yield (
            "question",
            PolicyInput(zone=zone, now=0.0, request=request, client=caller, subject=subject, actor=None, chain=chain, targets=()),
        )
        yield "standing", None
        yield "policy", self.answer()
        yield "ruling", self.ruling(request, subject.identity)
        yield "key", _SigningKey(ascii(self.text()))
        yield "mint", self.minted()

    def record(self) -> Record:
        """Told to its end, or until something raised."""
        story = list(self.story())
        ends = self.one([len(story), self.chance.randrange(len(story))])
        steps = [Step(name, 0, self.number(10**9), came) for name, came in story[:ends]]
        refusal, outcome = None, "permitted"
        if ends < len(story):
            refusal = self.refusal()
            outcome = self.one([refusal.reason, refusal.reason, "cancelled", "permitted"])
            if error := self.one([refusal, KeyError("hush"), TimeoutError(), None]):
                steps.append(Step(story[ends][0], 0, 5_000, error))
        at = self.chance.uniform(0, 4e9)
        return Record(decision_id="id", outcome=outcome, at=at, trace=Trace("id", 0.0, steps), refusal=refusal)


@pytest.mark.parametrize("family", range(10))
def test_every_line_is_as_described(family: int) -> None:
    for seed in range(family * 100, family * 100 + 100):
        drawn = Drawn(seed)
        record = drawn.record()
        assert_as_described(record, drawn.one([(), ("groups",), ("email", "absent", "deep")]), drawn.one([0, 0, 3]))


# ── too long for a line ─────────────────────────────────────────────────────────────────────────────────

LOUD = "\x01" * 1_000
"""Six bytes each, in JSON."""


def asked(**more: Any) -> ExchangeRequest:
    subject = Credential(token="the-subjects-own-token", token_type=JWT_TYPE, role=Role.SUBJECT)
    return ExchangeRequest(dialect=Dialect.V1, grant_type=TOKEN_EXCHANGE, subject=subject, **more)


def long_record(attributes: int = 0, facts: int = 0, reasons: int = 0, chain: int = 0, names: int = 1, steps: int = 0) -> Record:
    who = Identity(issuer='"' * names, subject="s", attributes={"groups": [LOUD] * attributes} if attributes else {})
    refusal = Rejected("no", **{f"{n}": LOUD for n in range(facts)})
    told: list[tuple[str, object]] = [
        ("request", asked(targets=(LOUD,) * reasons)),
        ("subject", Proven(identity=who, expires_at=1.0)),
        ("delegation", (who,) * chain),
        ("zone", OpenZone(Rules("rules", "1"))),
        ("policy", Deny(reasons=(LOUD,) * reasons)),
        *[("step", refusal)] * steps,
    ]
    trace = Trace("id", 0.0, [Step(name, 0, 1_000, came) for name, came in told])
    return Record(decision_id="id", outcome="credential_rejected", at=1.0, trace=trace, refusal=refusal)


@pytest.mark.parametrize(
    ("record", "shortened"),
    [
        (long_record(attributes=5), None),
        (long_record(attributes=11), ["attributes"]),
        (long_record(attributes=11, facts=6, steps=1), ["attributes", "facts"]),
        (long_record(facts=6, steps=1), ["facts"]),
        (long_record(facts=11), ["refusal"]),
        (long_record(facts=6, steps=1, reasons=4), ["facts", "refusal"]),
        (long_record(facts=11, reasons=4, names=2_500), ["refusal"]),
        (long_record(reasons=4, names=4_000, chain=4), ["refusal", "asked"]),
        (long_record(reasons=4, names=4_000, chain=9), ["refusal", "asked", "policy", "chain"]),
        (long_record(steps=1_200), ["refusal", "policy", "steps"]),
    ],
)
@pytest.mark.parametrize("left_out", [0, 2])
def test_a_line_that_would_be_too_long_leaves_out_what_is_described(record: Record, shortened: list[str] | None, left_out: int) -> None:
    assert_as_described(record, ["groups"], left_out)
    told = json.loads(written(record, ["groups"], left_out))
    assert told.get("shortened") == shortened


def test_of_a_request_that_could_not_be_read_no_steps_are_left_out() -> None:
    refusal = Malformed("no", seen=[LOUD] * 11)
    record = Record(decision_id="id", outcome="malformed", at=1.0, trace=Trace("id", 1.0), refusal=refusal)
    assert_as_described(record, left_out=2)
    assert json.loads(written(record, (), 2))["shortened"] == ["refusal"]


def test_of_a_request_that_could_not_be_read_only_the_refusal_is_told() -> None:
    record = Record(decision_id="id", outcome="malformed", at=1.0, trace=Trace("id", 1.0), refusal=Malformed("no"))
    assert_as_described(record)
    assert written(record, (), 0).endswith(b'"reason":"malformed","refusal":{"reason":"malformed","said":"no"}}')


def test_a_decision_that_cannot_be_told_has_its_head_and_what_went_wrong() -> None:
    record = long_record()
    assert untold(record, KeyError("hush"), 3) == (
        b'{"v":1,"decision_id":"id","at":"1970-01-01T00:00:01.000Z","outcome":"refused","reason":"credential_rejected",'
        b'"untold":"KeyError","left_out":3}'
    )


def test_types_that_a_plugin_makes_at_will_are_told_and_not_all_kept() -> None:
    made = [type(f"MadeUp{n}", (), {})() for n in range(300)]
    trace = Trace("id", 0.0, [Step("step", 0, 0, value) for value in made])
    assert_as_described(Record(decision_id="id", outcome="permitted", at=0.0, trace=trace))
    assert len(_WORDS) <= 256
