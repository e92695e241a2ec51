"""API keys through the whole service, in both dialects."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from cambist import Host, Store, Unavailable, hookimpl
from cambist.client_secret import hash_secret
from cambist.compact import Compact
from cambist.hooks import HasCommand
from cambist.store import MemoryStore
from cambist.testing import AllowAll, MovableClock, Running, open_sts
from cambist.token_type import API_KEY
from cambist_api_key.key import ApiKey

PAY = "https://pay.example"
PEPPER = "a pepper of the test's own, and long enough"
NAMES = [API_KEY, "urn:starfly:token-type:api-key"]
DAY = 86_400


@asynccontextmanager
async def service(table: Mapping[str, Any] | None = None, **more: Any) -> AsyncIterator[Running]:
    """A service that takes API keys, and takes them as proof of the caller too."""
    options = {name: more.pop(name) for name in ("clock", "modules") if name in more}
    settings = {"authenticates": [API_KEY], **more, "plugins": {"api-key": {"pepper": PEPPER, **(table or {})}}}
    async with open_sts(settings, **options) as running:
        yield running


async def command(running: Running, *arguments: str, zone: str = "default") -> None:
    """As `cambist api-key …` runs it."""
    await running.sts.zones.named(zone)
    [bringing] = [thing for plugin, thing in running.sts.offered(zone) if plugin == "api-key" and isinstance(thing, HasCommand)]
    await bringing.command().main(list(arguments), prog_name="cambist api-key", standalone_mode=False)


async def create(running: Running, capsys: pytest.CaptureFixture[str], *more: str, zone: str = "default") -> tuple[str, str]:
    """A new key, with its id."""
    capsys.readouterr()
    await command(running, "create", "--json", "--owner", "team-pay", "--subject", "bot", "--scope", "pay:read", *more, zone=zone)
    made = msgspec.json.decode(capsys.readouterr().out)
    return made["key"], made["id"]


async def ask(running: Running, key: str, dialect: str, name: str = API_KEY, **more: Any) -> httpx.Response:
    sent = {"subject_token": key, "subject_token_type": name, "audience": PAY, **more}
    return await (running.json(**sent) if dialect == "json" else running.form(**sent))


both = pytest.mark.parametrize("dialect", ["form", "json"])


def claims(answer: httpx.Response) -> Mapping[str, Any]:
    assert answer.status_code == 200, answer.text
    return Compact.parse(answer.json()["access_token"]).claims


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


@pytest.mark.row("T-api-key")
@both
@pytest.mark.parametrize("name", NAMES)
async def test_a_key_becomes_a_token_of_its_subject_by_either_name(capsys: pytest.CaptureFixture[str], dialect: str, name: str) -> None:
    async with service() as sts:
        key, _ = await create(sts, capsys)
        token = claims(await ask(sts, f" {key}\n", dialect, name, scope="pay:read"))
    assert token["sub"] == (
        "wimse://sts.example.test/issuer/https_3a_2f_2fsts.example.test_2fapi-keys_2fdefault/subject/bot"
    )  # not an application's name
    assert (token["aud"], token["scope"]) == (PAY, "pay:read")


@pytest.mark.row("T-api-key")
@both
async def test_the_policy_is_told_who_owns_the_key(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    policy, clock = AllowAll(), MovableClock()
    async with service(modules={"scripted": policy}, clock=clock) as sts:
        key, key_id = await create(sts, capsys, "--expires-in", "1h")
        claims(await ask(sts, key, dialect))
    subject = policy.asked[-1].document().subject
    assert (subject.issuer, subject.subject) == ("https://sts.example.test/api-keys/default", "bot")
    assert subject.attributes == {"key_id": key_id, "owner": "team-pay", "created": int(clock.now)}
    assert (subject.scope, subject.audience, subject.expires_at) == (["pay:read"], None, int(clock.now) + 3_600)


@pytest.mark.row("T-api-key")
@both
async def test_a_token_has_no_scope_that_its_key_does_not_carry(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    async with service() as sts:
        key, _ = await create(sts, capsys, "--scope", "pay:write")
        bare = await create_bare(sts, capsys)
        assert claims(await ask(sts, key, dialect, scope="pay:write pay:admin"))["scope"] == "pay:write"
        assert "scope" not in claims(await ask(sts, key, dialect))
        assert refused(await ask(sts, key, dialect, scope="pay:admin"))[1] == "scope_denied"
        assert refused(await ask(sts, bare, dialect, scope="pay:read"))[1] == "scope_denied"


async def create_bare(running: Running, capsys: pytest.CaptureFixture[str]) -> str:
    """A key without scopes, of an owner who is its subject."""
    capsys.readouterr()
    await command(running, "create", "--owner", "team-pay")
    return capsys.readouterr().out.strip()


@pytest.mark.row("T-api-key")
@both
async def test_a_key_ends_and_no_token_outlives_it(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    clock = MovableClock()
    async with service(clock=clock) as sts:
        key, _ = await create(sts, capsys, "--expires-in", "10m")
        clock.move(599 - 60)
        assert (await ask(sts, key, dialect)).json()["expires_in"] == 61
        clock.move(61)
        assert refused(await ask(sts, key, dialect)) == (400, "credential_expired")
        clock.move(365 * DAY)
        assert refused(await ask(sts, key, dialect)) == (400, "credential_rejected")


@pytest.mark.row("T-api-key")
@both
async def test_a_revoked_or_deleted_key_is_refused_at_once(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    async with service() as sts:
        for end in ("revoke", "delete"):
            key, key_id = await create(sts, capsys)
            claims(await ask(sts, key, dialect))
            if end == "revoke":
                await command(sts, "revoke", key_id)
            else:
                await sts.sts.store.delete(f"zone/default/plugin/api-key/key/{key_id}")
            assert refused(await ask(sts, key, dialect)) == (400, "credential_rejected")
            assert sts.records[-1].refusal is not None
            assert sts.records[-1].refusal.facts["key"] == key_id


@pytest.mark.row("T-api-key")
@both
async def test_an_unknown_id_and_a_wrong_secret_get_the_same_answer(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    async with service() as sts:
        key, key_id = await create(sts, capsys)
        await command(sts, "revoke", (gone := await create(sts, capsys))[1])
        wrong = ApiKey(id=key_id, secret=ApiKey.fresh().secret).text().reveal()
        answers = [await ask(sts, text, dialect) for text in (ApiKey.fresh().text().reveal(), wrong, gone[0])]
        claims(await ask(sts, key, dialect))
    ids = [(answer.json()["decision_id"], answer.json()["request_id"]) for answer in answers]
    bodies = [answer.text.replace(decision, "-").replace(request, "-") for answer, (decision, request) in zip(answers, ids, strict=True)]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert bodies[0] == bodies[1] == bodies[2]


@both
async def test_a_mistyped_key_is_told_so(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    async with service() as sts:
        key, _ = await create(sts, capsys)
        for text in (key[:-1], key.swapcase(), f"{key}0", "x"):
            assert refused(await ask(sts, text, dialect)) == (400, "credential_malformed")
        assert refused(await ask(sts, "k" * 20_000, dialect)) == (400, "credential_too_large")


@pytest.mark.row("T-api-key")
@both
async def test_a_key_does_not_authenticate_the_caller_unless_the_zone_says_so(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    applications = {"web": {"secret_hash": hash_secret("s3cret")}}
    async with service(authenticates=[], applications=applications) as sts:
        key, _ = await create(sts, capsys)
        assert refused(await ask(sts, key, dialect))[1] == "client_required"
        basic = {"authorization": f"Basic {base64.b64encode(b'web:s3cret').decode()}"}
        assert claims(await ask(sts, key, dialect, headers=basic))["client_id"] == "web"


@pytest.mark.row("T-api-key")
@both
async def test_a_key_acts_for_nobody_unless_the_operator_says_so(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    issuer = "https://sts.example.test/api-keys/default"
    applications = {"web": {"secret_hash": hash_secret("s3cret"), "identities": [{"issuer": issuer, "subject": "agent"}]}}
    basic = {"authorization": f"Basic {base64.b64encode(b'web:s3cret').decode()}"}
    for actors in (False, True):
        async with service({"actors": actors}, applications=applications) as sts:
            key, _ = await create(sts, capsys)
            agent, _ = await create(sts, capsys, "--subject", "agent")
            answer = await ask(sts, key, dialect, actor_token=agent, actor_token_type=API_KEY, headers=basic)
            if actors:
                assert claims(answer)["act"]["sub"].endswith("/subject/agent")
            else:
                assert refused(answer) == (400, "credential_rejected")
                assert answer.json()["details"]["role"] == "actor"


@pytest.mark.row("T-api-key")
@both
async def test_a_key_of_one_zone_is_nothing_in_another(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    other = {"authenticates": [API_KEY], "plugins": {"api-key": {"pepper": PEPPER}}}
    async with service(zones={"other": other}) as sts:
        key, key_id = await create(sts, capsys)
        theirs, _ = await create(sts, capsys, zone="other")
        assert claims(await ask(sts, theirs, dialect, zone_id="other"))["sub"] != claims(await ask(sts, key, dialect))["sub"]
        assert refused(await ask(sts, key, dialect, zone_id="other")) == (400, "credential_rejected")
        assert refused(await ask(sts, theirs, dialect)) == (400, "credential_rejected")
        # Not even when the record itself is carried over: the hash is the zone's own.
        name = f"plugin/api-key/key/{key_id}"
        record = (await sts.sts.store.get_many([f"zone/default/{name}"]))[f"zone/default/{name}"]
        await sts.sts.store.put(f"zone/other/{name}", record)
        assert refused(await ask(sts, key, dialect, zone_id="other")) == (400, "credential_rejected")
        with pytest.raises(Exception, match="no key with this id"):
            await command(sts, "revoke", ApiKey.parse(theirs).id)


class Failing(MemoryStore):
    """A store that fails as the test says; it is its own plugin module."""

    def __init__(self) -> None:
        super().__init__(MovableClock())
        self.failure: Exception | None = None
        self.deaf = False

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        if self.deaf:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return await super().get_many(keys)

    @hookimpl
    def cambist_stores(self, host: Host) -> Iterator[Store]:
        yield self


@pytest.mark.row("T-api-key")
@both
async def test_nothing_is_issued_while_the_store_fails(capsys: pytest.CaptureFixture[str], dialect: str) -> None:
    store = Failing()
    async with service(modules={"failing": store}, deadline=0.2) as sts:
        key, _ = await create(sts, capsys)
        store.failure = Unavailable(what="the store", cause="it is down")
        assert refused(await ask(sts, key, dialect)) == (503, "temporarily_unavailable")
        store.failure = OSError("disk")
        assert refused(await ask(sts, key, dialect)) == (500, "plugin_fault")
        store.failure, store.deaf = None, True
        assert refused(await ask(sts, key, dialect)) == (503, "deadline_exceeded")
        store.deaf = False
        claims(await ask(sts, key, dialect))
