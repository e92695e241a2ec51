"""Applications proved by a secret: slowly, off the event loop, and without saying which of them there are."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from cambist import Credential, Identity, Proven, Role
from cambist import client_secret as module
from cambist.client_secret import CLIENT_SECRET, MEMORY, ClientSecretValidator, credential_text, hash_secret
from cambist.credential import Unverified
from cambist.errors import CallerUnproved
from cambist.zone import Application

ISSUER = "https://sts.example"
SECRET = "a secret: with a colon, ümläuts and a %41"
HASHED = hash_secret(SECRET)
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def quick(secret: str) -> Application:
    return application(QUICK.hash(secret))


def application(stored: str) -> Application:
    return Application.model_validate({"secret_hash": stored})


def presented(client_id: str, secret: str) -> Credential:
    return Credential(token=credential_text(client_id, secret), token_type=CLIENT_SECRET, role=Role.CLIENT)


def validator(**stored: str) -> ClientSecretValidator:
    return ClientSecretValidator(ISSUER, {name: application(text) for name, text in stored.items()})


async def refusal(judge: ClientSecretValidator, client_id: str, secret: str) -> CallerUnproved:
    with pytest.raises(CallerUnproved) as raised:
        await judge.validate(presented(client_id, secret))
    return raised.value


class Counted:
    """Stands in for the derivation: counts, and how many ran at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, takes: float = 0.0) -> None:
        self.calls, self.at_once, self.most, self.threads = 0, 0, 0, set[int]()
        self._takes, self._lock, self._real = takes, threading.Lock(), module._verify
        monkeypatch.setattr(module, "_verify", self)

    def __call__(self, stored: str, secret: str) -> bool:
        with self._lock:
            self.calls += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.threads.add(threading.get_ident())
        time.sleep(self._takes)
        try:
            return self._real(stored, secret)
        finally:
            with self._lock:
                self.at_once -= 1


def test_a_secret_is_kept_as_argon2id_with_a_salt_of_its_own() -> None:
    assert HASHED.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    again = hash_secret(SECRET)
    assert again != HASHED
    assert PasswordHasher().verify(again, SECRET)
    assert SECRET not in HASHED


def test_the_hash_that_stands_in_for_an_application_is_one_that_takes_as_long() -> None:
    """One that argon2 did not take would be answered at once, and so tell a stranger which applications there are."""
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(module._NOBODY, SECRET)
    assert (module._NOBODY.rpartition("p=")[0], len(module._NOBODY)) == (HASHED.rpartition("p=")[0], len(HASHED))


async def test_the_right_secret_proves_the_application_and_bounds_nothing() -> None:
    assert await validator(app=HASHED).validate(presented("app", SECRET)) == Proven(
        identity=Identity(issuer=ISSUER, subject="app"), expires_at=math.inf
    )


def test_it_takes_client_secrets_and_names_no_issuer() -> None:
    judge = validator(app=HASHED)
    assert (judge.token_types, judge.issuers) == (frozenset({CLIENT_SECRET}), None)
    assert CLIENT_SECRET == "urn:cambist:token-type:client-secret"  # policies read it as the method of the caller
    assert judge.recognizes(Unverified(token_type=CLIENT_SECRET))


@pytest.mark.parametrize("client_id", ["app", "a:b", "a%3Ab", "ä", "a b", ""])
@pytest.mark.parametrize("secret", ["s", "s:t", "%", "%41", "ß", " ", "+"])
async def test_id_and_secret_stay_apart_whatever_is_in_them(client_id: str, secret: str) -> None:
    judge = ClientSecretValidator(ISSUER, {client_id: quick(secret)})
    assert (await judge.validate(presented(client_id, secret))).identity.subject == client_id


def test_id_and_secret_are_written_as_form_encoding_has_it() -> None:
    """RFC 6749 section 2.3.1: no reserved character stands for itself."""
    assert credential_text("a/b", "c/d:e") == "a%2Fb:c%2Fd%3Ae"


async def test_nobody_is_proved_by_the_hash_that_stands_in_for_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_verify", lambda stored, secret: True)
    assert (await refusal(validator(), "nobody", SECRET)).facts == {"client_id": "nobody"}


async def test_what_the_ledger_is_told_is_the_id_that_was_claimed() -> None:
    assert (await refusal(validator(), "a:b%", SECRET)).facts == {"client_id": "a:b%"}


async def test_unknown_application_and_wrong_secret_get_one_answer_and_pay_one_price(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = ClientSecretValidator(ISSUER, {"app": application(HASHED), "keyed": Application.model_validate({"jwks": {"keys": []}})})
    derived = Counted(monkeypatch)
    answers = [await refusal(judge, *pair) for pair in (("app", "wrong"), ("nobody", SECRET), ("keyed", SECRET), ("", ""), ("app", ""))]
    assert {(type(each), each.said, each.expected, each.seen) for each in answers} == {
        (CallerUnproved, CallerUnproved.meaning(), None, None)
    }
    assert derived.calls == 5


async def test_the_secret_of_one_application_is_none_of_anothers() -> None:
    judge = ClientSecretValidator(ISSUER, {"a": quick("one"), "b": quick("two")})
    await judge.validate(presented("a", "one"))
    await refusal(judge, "b", "one")
    await refusal(judge, "nobody", "one")


@pytest.mark.parametrize(
    "stored", ["plain text", "$argon2id$v=19$m=65536", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"]
)
async def test_what_is_no_hash_matches_nothing_not_even_itself(stored: str) -> None:
    await refusal(validator(app=stored), "app", stored)


async def test_the_event_loop_runs_while_a_secret_is_derived() -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.perf_counter())
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    started = time.perf_counter()
    await validator(app=HASHED).validate(presented("app", SECRET))
    took, heard = time.perf_counter() - started, len(ticks)
    ticking.cancel()
    assert took > 0.005  # it was derived, not remembered
    assert heard >= 3


async def test_nothing_is_derived_on_the_thread_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = Counted(monkeypatch)
    await ClientSecretValidator(ISSUER, {"app": quick("s")}).validate(presented("app", "s"))
    assert threading.get_ident() not in derived.threads


async def test_a_flood_of_guesses_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = Counted(monkeypatch, takes=0.005)
    judge = ClientSecretValidator(ISSUER, {"app": quick("s")})
    told = await asyncio.gather(*(judge.validate(presented("app", f"guess-{n}")) for n in range(30)), return_exceptions=True)
    assert {type(each) for each in told} == {CallerUnproved}
    assert (derived.calls, derived.most) == (30, 2)


async def test_a_proved_secret_is_remembered_and_a_wrong_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = Counted(monkeypatch)
    judge = ClientSecretValidator(ISSUER, {"app": quick("s")})
    for _ in range(5):
        await judge.validate(presented("app", "s"))
    assert derived.calls == 1
    for _ in range(5):
        await refusal(judge, "app", "wrong")
    assert derived.calls == 6


async def test_a_rotated_hash_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = Counted(monkeypatch)
    judge = ClientSecretValidator(ISSUER, {"app": quick("s")})
    await judge.validate(presented("app", "s"))
    judge._hashes["app"] = QUICK.hash("s")
    await judge.validate(presented("app", "s"))
    assert derived.calls == 2
    judge._hashes["app"] = QUICK.hash("t")
    await refusal(judge, "app", "s")


async def test_what_is_remembered_is_bounded_and_worth_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_verify", lambda stored, secret: True)
    judge = ClientSecretValidator(ISSUER, {"app": quick("s")})
    assert MEMORY == 4096
    for number in range(MEMORY + 10):
        await judge.validate(presented("app", f"s{number}"))
    assert len(judge._proved) == MEMORY
    other = ClientSecretValidator(ISSUER, {"app": quick("s")})
    await other.validate(presented("app", f"s{MEMORY}"))
    assert not judge._proved.keys() & other._proved.keys()  # keyed by a pepper that lives as long as the validator
    assert all(len(each) == 32 for each in judge._proved)


async def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = Counted(monkeypatch)
    monkeypatch.setattr(module, "MEMORY", 2)
    judge = ClientSecretValidator(ISSUER, {name: quick(name) for name in "abc"})
    for name in "abc":
        await judge.validate(presented(name, name))
    await judge.validate(presented("c", "c"))
    assert derived.calls == 3
    await judge.validate(presented("a", "a"))
    assert derived.calls == 4


async def test_neither_secret_nor_hash_is_in_what_is_printed() -> None:
    credential: Any = presented("app", SECRET)
    refused = await refusal(validator(app=HASHED), "app", "another secret")
    for printed in (repr(credential), repr(refused), str(refused.facts), repr(application(HASHED))):
        assert SECRET not in printed
        assert "another" not in printed
        assert HASHED not in printed


def test_the_hash_of_nobody_takes_as_long_as_any_other() -> None:
    assert extract_parameters(module._NOBODY) == extract_parameters(hash_secret("a secret"))
    assert not module._verify(module._NOBODY, "a secret")
