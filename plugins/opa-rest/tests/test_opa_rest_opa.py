"""A real OPA: killed and started again, locked, behind TLS of a private authority, and given other rules while it is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from habits.opa import opa_server, serving
from habits.running import free_port

from cambist import Answer, Deny, Permit, Unavailable
from cambist.answer import PolicyUnclear
from cambist.egress import Egress, EgressSettings
from cambist.testing import Forge, MovableClock, open_sts, question
from cambist.token_type import JWT
from cambist_opa_rest.policy import OpaRestPolicy
from cambist_opa_rest.settings import OpaRestSettings

pytestmark = pytest.mark.row("P-opa-rest", real="opa")

REGO = 'package cambist.exchange\n\ndefault decision := {"allow": false, "reasons": ["no rule allows this"]}\n\n'
ALLOWS = REGO + 'decision := {"allow": true} if input.subject.subject == "workload-1"\n'
LOCK = 'package system.authz\n\ndefault allow := false\n\nallow if input.identity == "t0ken"\n\nallow if input.path == ["health"]\n'
COUNTS = "count([1 | some i in numbers.range(1, 4000); some j in numbers.range(1, 4000); i * j == -1]) == 0"
"""What takes OPA seconds."""


def ruled(folder: Path, rego: str = ALLOWS) -> Path:
    path = folder / "rules.rego"
    path.write_text(rego)
    return path


def bundled(opa: Path, folder: Path, rego: str, revision: str) -> Path:
    source = folder / f"source-{revision}"
    source.mkdir()
    (source / "rules.rego").write_text(rego)
    subprocess.run([opa, "build", "-b", ".", "-r", revision, "-o", folder / "rules.tar.gz"], cwd=source, check=True, capture_output=True)
    return folder / "rules.tar.gz"


@asynccontextmanager
async def asking(url: str, egress: EgressSettings | None = None, **settings: Any) -> AsyncIterator[OpaRestPolicy]:
    async with Egress(egress or EgressSettings()) as http:
        yield OpaRestPolicy(OpaRestSettings.model_validate({"url": url, **settings}), http)


async def refused(policy: OpaRestPolicy) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await policy.decide(question())
    return caught.value


async def test_with_opa_down_no_token_is_minted_and_with_opa_back_there_is_one_at_once(opa: Path, tmp_path: Path) -> None:
    port, clock = free_port(), MovableClock()
    forge = Forge("https://idp.example.test", "https://sts.example.test", clock)
    plugins = {
        "jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]},
        "opa-rest": {"url": f"http://127.0.0.1:{port}"},
    }
    async with open_sts({"authenticates": [JWT], "plugins": plugins}, clock=clock) as running:

        async def asked() -> tuple[int, str]:
            answer = await running.form(subject_token=forge.jwt(), audience="https://api.example.test")
            checks = (await running.http.get("/ready")).status_code
            assert (checks == 200) is (answer.status_code == 200)
            return answer.status_code, answer.json().get("error", "")

        assert await asked() == (503, "temporarily_unavailable")
        for _ in range(3):
            with opa_server(opa, tmp_path / "log", ruled(tmp_path), port=port):
                began = time.monotonic()
                while (await asked())[0] != 200:
                    assert time.monotonic() - began < 5
                assert await asked() == (200, "")
            for _ in range(5):
                assert await asked() == (503, "temporarily_unavailable")


async def test_a_killed_opa_refuses_what_is_under_way_and_all_that_follows(opa: Path, tmp_path: Path) -> None:
    slow = f'{REGO}decision := {{"allow": true}} if {COUNTS}\n'
    with opa_server(opa, tmp_path / "log", ruled(tmp_path, slow)) as server:
        async with asking(server.url, deadline=5) as policy:
            under_way = asyncio.ensure_future(refused(policy))
            await asyncio.sleep(0.3)
            assert not under_way.done()
            server.process.kill()
            await under_way
            # Its port may still take a connection while the kernel takes the process apart, and cut it off then.
            assert (await refused(policy)).facts["cause"] in ("ConnectError", "ReadError", "RemoteProtocolError")


async def test_rules_that_take_too_long_are_given_up_and_the_next_question_is_answered(opa: Path, tmp_path: Path) -> None:
    rego = ALLOWS + f'\ndecision := {{"allow": true}} if {{ input.subject.subject == "slow"; {COUNTS} }}\n'
    with opa_server(opa, tmp_path / "log", ruled(tmp_path, rego)) as server:
        async with asking(server.url, deadline=0.3) as policy:
            document = json.loads(question().encoded())
            document["subject"]["subject"] = "slow"
            with pytest.raises(Unavailable):
                await policy.asked(json.dumps(document).encode())
            assert await policy.decide(question()) == Permit()


async def test_undefined_rules_and_rules_that_contradict_themselves_refuse(opa: Path, tmp_path: Path) -> None:
    both = 'package cambist.exchange\n\ndecision := {"allow": true} if input.zone\n\ndecision := {"allow": false} if input.now\n'
    with opa_server(opa, tmp_path / "log", ruled(tmp_path, both)) as server:
        async with asking(server.url) as policy:
            assert "status 500" in str((await refused(policy)).facts["cause"])
        async with asking(server.url, entrypoint="cambist/exchange/decisoin") as policy:
            undefined = await refused(policy)
            assert isinstance(undefined, PolicyUnclear)
            assert "undefined" in str(undefined.facts["cause"])
            with pytest.raises(PolicyUnclear):
                await policy.ping()


async def test_an_opa_that_wants_a_token_answers_who_has_it(opa: Path, tmp_path: Path) -> None:
    (tmp_path / "lock.rego").write_text(LOCK)
    locked = ["--authentication=token", "--authorization=basic", ruled(tmp_path), tmp_path / "lock.rego"]
    with opa_server(opa, tmp_path / "log", *locked) as server:
        async with asking(server.url, token="t0ken") as policy:
            assert await policy.decide(question()) == Permit()
            await policy.ping()
        for token in (None, "another"):
            async with asking(server.url, token=token) as policy:
                assert "status 401: it wants another token" in str((await refused(policy)).facts["cause"])
                with pytest.raises(Unavailable):
                    await policy.ping()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=opa", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key


async def test_an_opa_behind_tls_answers_whoever_trusts_its_authority(opa: Path, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    address, here = f"127.0.0.1:{free_port()}", {"private": ["127.0.0.1"]}
    command = [*serving(opa, address), "--tls-cert-file", made, "--tls-private-key-file", key, ruled(tmp_path)]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    try:
        async with asking(f"https://{address}", EgressSettings.model_validate({**here, "ca_file": str(made)})) as policy:
            assert await answered_at_last(policy) == Permit()
        async with asking(f"https://{address}", EgressSettings.model_validate(here)) as policy:
            assert (await refused(policy)).facts["cause"] == "ConnectError"
    finally:
        process.kill()
        process.wait()


async def answered_at_last(policy: OpaRestPolicy) -> Answer:
    """The first answer of an OPA that is starting."""
    ends = time.monotonic() + 20
    while True:
        try:
            return await policy.decide(question())
        except Unavailable:
            assert time.monotonic() < ends
            await asyncio.sleep(0.1)


async def test_each_answer_names_the_bundle_that_made_it_while_bundles_are_replaced(opa: Path, tmp_path: Path) -> None:
    bundle = bundled(opa, tmp_path, ALLOWS, "one")
    answers: list[Answer] = []
    with opa_server(opa, tmp_path / "log", "--watch", "--bundle", bundle) as server:
        async with asking(server.url, deadline=2) as policy:
            answers.append(await policy.decide(question()))
            bundled(opa, tmp_path, REGO, "two")
            began = time.monotonic()
            while not isinstance(answers[-1], Deny) and time.monotonic() - began < 10:
                answers.append(await policy.decide(question()))
            assert policy.revision == answers[-1].revision
    assert {(type(answer), answer.revision) for answer in answers} == {(Permit, f"{bundle}=one"), (Deny, f"{bundle}=two")}
