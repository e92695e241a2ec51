"""`cambist trust check`, over real issuers on this machine: each cause of failure is told in a sentence of its own."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from habits.https import Reply, answering, authority
from habits.oidc import CLIENT, SECRET, OidcProvider, OidcProviderMock
from habits.running import free_port

from cambist import Sts
from cambist.settings import load
from cambist.testing import ABSENT, AccessTokenForge, EntraForge, Forge, IdTokenForge, KubernetesForge
from cambist.token_type import ACCESS_TOKEN, ID_TOKEN, JWT
from cambist_hostapp.cli import main

STS, AUDIENCE = "https://sts.example.test", "cambist-client"
TOP = f'issuer = "{STS}"\n[plugins.opa-wasm]\nbundle = "this is not there.tar.gz"\n'
"""Of a service whose policy is broken: whom it trusts can be looked at all the same."""


@dataclass
class Issuer:
    """An issuer on this machine: a discovery document, keys, and a clock that a test may put wrong."""

    url: str = ""
    named: str | None = None
    keys: list[dict[str, Any]] = field(default_factory=list)
    ahead: float = 0
    status: int = 200
    caching: str = "public, max-age=120"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        told = {"date": formatdate(time.time() + self.ahead, usegmt=True), "cache-control": self.caching}
        if path.endswith("/.well-known/openid-configuration"):
            document: Any = {"issuer": self.url if self.named is None else self.named, "jwks_uri": f"{self.url}/keys"}
            document |= {"response_types_supported": ["id_token"], "subject_types_supported": ["public"]}
            document |= {"id_token_signing_alg_values_supported": ["RS256"]}
            return Reply(self.status, document, told)
        return Reply(200, {"keys": self.keys}, told) if path == "/keys" else Reply(404, {})

    @property
    def forge(self) -> IdTokenForge:
        made = IdTokenForge(self.url, AUDIENCE, time.time)
        self.keys = made.jwks["keys"]
        return made


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    with answering(found.answer) as found.url:
        yield found


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


@dataclass(frozen=True)
class Check:
    """The command, over settings in a file."""

    folder: Path

    def ran(self, settings: str, *arguments: str, token: str | None = None, code: int = 0) -> Result:
        config = self.folder / "cambist.toml"
        config.write_text(TOP + settings)
        sample = () if token is None else ("--token", "-")
        found = CliRunner().invoke(main, ["-c", str(config), "trust", "check", *arguments, *sample], input=token, catch_exceptions=False)
        assert found.exit_code == code, found.output
        return found

    def told(self, settings: str, *arguments: str, token: str | None = None, code: int = 0) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.ran(settings, *arguments, "--json", token=token, code=code).stdout)
        assert document["ok"] is (code == 0)
        return document


def oidc(url: str, more: str = "") -> str:
    return f'[[plugins.oidc.issuers]]\nissuer = "{url}"\naudience = ["{AUDIENCE}"]\n{more}\n'


def checks(document: dict[str, Any], what: str = "issuers") -> dict[str, dict[str, Any]]:
    """Of the one issuer, or of the one judgement, each check by its name; of several of one name the first."""
    [only] = document[what]
    return {check["check"]: check for check in reversed(only["checks"])}


def failed(document: dict[str, Any], what: str = "issuers") -> dict[str, str]:
    return {name: check["reason"] for name, check in checks(document, what).items() if check["state"] == "failed"}


# ── issuers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_issuer_that_is_well_is_said_to_be_with_its_keys_and_how_long_they_are_kept(check: Check, issuer: Issuer) -> None:
    _ = issuer.forge
    found = checks(check.told(oidc(issuer.url)))
    assert {name: one["state"] for name, one in found.items()} == {"discovery": "passed", "keys": "passed", "clock": "passed"}
    assert f"names this issuer, and {issuer.url}/keys for its keys (" in found["discovery"]["said"]
    assert found["keys"]["said"].startswith("1 usable: ES256 k1; at ")
    assert found["keys"]["said"].endswith("fetched anew after 120 s")


def test_a_real_issuer_is_said_to_be_well_and_its_token_to_be_accepted(check: Check, oidc_provider_mock: OidcProviderMock) -> None:
    token = oidc_provider_mock.id_token(AUDIENCE)
    document = check.told(oidc(oidc_provider_mock.issuer), token=token)
    assert failed(document) == failed(document, "token") == {}
    assert "lacks alg, and is taken for RS256" in json.dumps(document)  # its keys are like that
    assert checks(document, "token")["verdict"]["said"] == f"alice of {oidc_provider_mock.issuer}"


Trouble = Callable[[Issuer], None]


def _names_another(issuer: Issuer) -> None:
    issuer.named = "https://somebody.example"


def _has_a_slash(issuer: Issuer) -> None:
    issuer.named = f"{issuer.url}/"


def _has_no_keys(issuer: Issuer) -> None:
    issuer.keys = []


def _has_other_keys(issuer: Issuer) -> None:
    issuer.keys = Forge("", "", time.time, algorithm="ES384").jwks["keys"]


def _is_ahead(issuer: Issuer) -> None:
    issuer.ahead = 600


def _is_behind(issuer: Issuer) -> None:
    issuer.ahead = -600


def _is_broken(issuer: Issuer) -> None:
    issuer.status = 500


TROUBLES: dict[str, tuple[Trouble, str, str, str]] = {
    "another's document": (_names_another, "discovery", "temporarily_unavailable", "names another issuer, 'https://somebody\\.example'"),
    "a trailing slash": (_has_a_slash, "discovery", "temporarily_unavailable", r"\(they differ by a final slash\)"),
    "no keys": (_has_no_keys, "keys", "key_unknown", "there is no usable key"),
    "keys that are not allowed": (_has_other_keys, "keys", "key_unknown", "no key is for an algorithm that is allowed"),
    "a clock ahead": (_is_ahead, "clock", "credential_not_yet_valid", r"(599|60[01]) s ahead of ours, and the leeway is 60 s"),
    "a clock behind": (_is_behind, "clock", "credential_expired", r"(599|60[01]) s behind ours"),
    "an error": (_is_broken, "discovery", "temporarily_unavailable", "status 500"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_wrong_with_an_issuer_has_a_sentence_and_a_remedy(check: Check, issuer: Issuer, trouble: str) -> None:
    bring_about, name, reason, said = TROUBLES[trouble]
    _ = issuer.forge
    bring_about(issuer)
    document = check.told(oidc(issuer.url), code=1)
    assert failed(document) == {name: reason}
    found = checks(document)[name]
    assert re.search(said, found["said"]), found
    assert found["hint"]
    shown = check.ran(oidc(issuer.url), code=1).output
    assert f"✗ {name}" in shown
    assert f"do           {found['hint']}" in shown


def test_an_issuer_that_is_down_is_told_apart_from_one_that_is_unknown(check: Check) -> None:
    found = checks(check.told(oidc(f"http://127.0.0.1:{free_port()}"), code=1))["discovery"]
    assert found["said"].endswith("nobody listens there")


def test_a_certificate_of_a_private_authority_is_not_trusted_until_it_is_named(check: Check, tmp_path: Path) -> None:
    issuer = Issuer()
    ca, context = authority(tmp_path)
    with answering(issuer.answer, context) as issuer.url:
        _ = issuer.forge
        private = '[egress]\nprivate = ["localhost"]\n'
        found = checks(check.told(oidc(issuer.url) + private, code=1))["discovery"]
        assert "its certificate is not trusted: " in found["said"]
        assert "egress.authorities" in found["hint"]
        assert failed(check.told(f'{oidc(issuer.url)}{private}[egress.authorities]\nlocalhost = "{ca}"\n')) == {}
        # An address that is not public has to be named, too.
        assert "egress.private" in checks(check.told(oidc(issuer.url), code=1))["discovery"]["said"]


def test_keys_that_are_dropped_and_those_that_lack_alg_are_told_with_the_reason(check: Check, issuer: Issuer) -> None:
    _ = issuer.forge
    silent = Forge("", "", time.time, algorithm="RS256", kid="silent").jwks["keys"][0]
    del silent["alg"]
    issuer.keys = [*issuer.keys, silent, {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}]
    document = check.told(oidc(issuer.url))
    notes = [one["said"] for one in document["issuers"][0]["checks"] if one["state"] == "note"]
    assert notes == ["not used: shared: not an asymmetric key", "silent lacks alg, and is taken for RS256"]
    assert "c2VjcmV0" not in json.dumps(document)


def test_keys_in_a_file_are_read_as_the_service_reads_them(check: Check, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    settings = f'[[plugins.jwt.issuers]]\nissuer = "https://issuer.example"\njwks_file = "{file}"\n'
    assert f"key file {file}" in check.ran(settings, code=3).output
    file.write_text(json.dumps(Forge("", "", time.time).jwks))
    assert checks(check.told(settings))["keys"]["said"] == f"1 usable: ES256 k1; in {file}"


def test_ten_issuers_that_are_silent_take_no_longer_than_one(check: Check) -> None:
    def answer(*_: object) -> Reply:
        time.sleep(1)  # so that one after the other they would take ten seconds
        return Reply(503, {})

    with answering(answer) as url:
        began = time.monotonic()
        check.told("".join(oidc(f"{url}/{number}") for number in range(10)), code=1)
    assert time.monotonic() - began < 8


# ── who is asked about tokens ───────────────────────────────────────────────────────────────────────────


def test_who_is_asked_about_tokens_is_asked_about_one_that_is_nobodys(check: Check, oidc_provider: OidcProvider) -> None:
    entry = f'[[plugins.access-token.issuers]]\nissuer = "{oidc_provider.issuer}"\nsubject = "client_id"\naudience = ["https://api.example/?opaque"]\n'
    asking = f'[plugins.access-token.issuers.introspection]\nurl = "{oidc_provider.introspection}"\nclient_id = "{CLIENT}"\n'
    token = oidc_provider.token("https://api.example/?opaque", "read")
    document = check.told(f'{entry}{asking}client_secret = "{SECRET}"\n', token=token)
    assert f"{oidc_provider.introspection} answers '{CLIENT}'" in checks(document)["introspection"]["said"]
    assert checks(document, "token")["introspection"]["said"] == "its issuer calls it active"
    document = check.told(f'{entry}{asking}client_secret = "wrong"\n', code=1)
    assert failed(document) == {"introspection": "temporarily_unavailable"}
    assert "compare `client_id`" in checks(document)["introspection"]["hint"]
    assert token not in json.dumps(document)
    assert SECRET not in json.dumps(document)


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [(401, "status 401", "does not know Cambist's own token"), (403, "status 403", "system:auth-delegator"), (500, "status 500", "/ready")],
)
def test_an_api_server_that_does_not_let_us_ask_is_told(check: Check, tmp_path: Path, status: int, said: str, hint: str) -> None:
    (tmp_path / "token").write_text("cambists.own.token")
    with answering(lambda *_: Reply(status, {"kind": "Status"})) as url:
        review = f'[plugins.kubernetes.clusters.review]\nurl = "{url}"\ntoken_file = "{tmp_path}/token"\n'
        entry = f'[[plugins.kubernetes.clusters]]\nname = "blue"\nissuer = "https://cluster.example"\naudience = ["{STS}"]\n{review}'
        document = check.told(entry, "kubernetes:blue", code=1)
        assert "cambists.own.token" not in json.dumps(document)
    found = checks(document)["review"]
    assert (said in found["said"], hint in found["hint"]) == (True, True)


# ── samples ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_good_sample_is_said_to_be_accepted_as_whom_and_whether_it_proves_the_caller(check: Check, issuer: Issuer) -> None:
    token = issuer.forge.jwt(sub="alice")
    document = check.told(oidc(issuer.url), token=token)
    assert (document["token"][0]["plugin"], document["token"][0]["token_types"]) == ("oidc", [ID_TOKEN])
    assert checks(document, "token")["verdict"]["said"] == f"alice of {issuer.url}"
    assert checks(document, "token")["caller"]["state"] == "note"
    shown = check.ran(oidc(issuer.url), token=token).output
    assert "it would be accepted" in shown
    assert token.rpartition(".")[2] not in shown + json.dumps(document)


GITHUB = 'only = { repository_id = ["74"] }'
SIBLINGS: dict[str, tuple[Callable[[IdTokenForge], str], str, str, str]] = {
    "expired by a second": (lambda f: f.jwt(exp=int(time.time()) - 1, iat=int(time.time()) - 60), "times", "credential_expired", "seconds"),
    "not valid yet": (lambda f: f.jwt(nbf=int(time.time()) + 300), "times", "credential_not_yet_valid", "it is valid in"),
    "for another audience": (lambda f: f.jwt(aud="another", azp=AUDIENCE), "audience", "audience_mismatch", "for somebody else"),
    "for two": (lambda f: f.jwt(aud=[AUDIENCE, "another"]), "party", "audience_not_sole", "several audiences"),
    "an access token": (lambda f: f.jwt({"typ": "at+jwt"}), "type", "token_kind_mismatch", "of this kind is not accepted"),
    "an access token by its scope": (lambda f: f.jwt(scope="openid"), "kind", "token_kind_mismatch", "this is no ID token"),
    "signed by somebody else": (lambda f: IdTokenForge(f.issuer, AUDIENCE, time.time).jwt(), "signature", "signature_invalid", "verify"),
    "of a key that is not there": (lambda f: f.jwt({"kid": "k9"}), "key", "key_unknown", "no usable key"),
    "of an algorithm that is not allowed": (lambda f: f.jwt({"alg": "HS256"}), "algorithm", "algorithm_refused", "algorithm"),
    "of a trailing slash": (lambda f: f.jwt(iss=f"{f.issuer}/"), "issuer", "issuer_not_trusted", "(they differ by a final slash)"),
    "without audience": (lambda f: f.jwt(aud=ABSENT), "claims", "audience_missing", ""),
    "of a repository of the same name": (lambda f: f.jwt(repository_id="75"), "only.repository_id", "claim_not_accepted", "not one that"),
}


@pytest.mark.parametrize("sibling", SIBLINGS)
def test_what_is_wrong_with_a_sample_has_its_reason_a_sentence_and_a_remedy(check: Check, issuer: Issuer, sibling: str) -> None:
    make, name, reason, said = SIBLINGS[sibling]
    forge = issuer.forge
    document = check.told(oidc(issuer.url, GITHUB if "repository" in sibling else ""), token=make(forge), code=1)
    assert failed(document, "token") == {name: reason}
    found = checks(document, "token")[name]
    assert (said in found["said"], bool(found["hint"])) == (True, True), found


def test_everything_that_is_wrong_is_told_and_not_only_the_first(check: Check, issuer: Issuer) -> None:
    issuer.forge.jwt()
    stranger = IdTokenForge(f"{issuer.url}/", "another", time.time)
    now = int(time.time())
    document = check.told(oidc(issuer.url, 'nonce = "n"'), token=stranger.jwt(exp=now - 5, iat=now - 60, azp="x", scope="y"), code=1)
    told = {"issuer", "signature", "times", "audience", "kind", "party", "nonce"}
    assert failed(document, "token").keys() == told
    assert document["token"][0]["taken"] is False


def test_a_forks_pull_request_is_told_from_the_repositorys_own_runs(check: Check, issuer: Issuer) -> None:
    forge, more = issuer.forge, f'preset = "github-actions"\n{GITHUB}'
    claims: dict[str, Any] = {"sub": "repo:o/r:pull_request", "repository_id": "74", "repository_owner_id": "7", "ref": "refs/pull/1/merge"}
    token = forge.jwt(**claims, event_name="pull_request", azp=ABSENT)
    document = check.told(oidc(issuer.url, more), token=token, code=1)
    assert failed(document, "token")["change"] == "proposed_change"
    assert "protected branch" in checks(document, "token")["change"]["hint"]


def test_the_token_of_another_tenant_is_told(check: Check) -> None:
    forge = EntraForge(AUDIENCE, time.time)
    with answering(lambda *_: Reply(200, forge.jwks)) as url:
        tenant = f'[plugins.azure]\naudience = ["{AUDIENCE}"]\n[[plugins.azure.tenants]]\nid = "{forge.tenant}"\njwks_url = "{url}"\n'
        other = "0f000000-0000-4000-8000-000000000000"
        document = check.told(tenant, "azure", token=forge.jwt(tid=other), code=1)
        [judged] = document["token"]
    assert [one["reason"] for one in judged["checks"] if one["check"] == "tenant"] == ["tenant_mismatch"]


def test_one_sample_is_judged_as_every_type_that_somebody_takes_it_for(check: Check, issuer: Issuer) -> None:
    _ = issuer.forge
    access = AccessTokenForge(issuer.url, AUDIENCE, time.time)
    issuer.keys = access.jwks["keys"]
    settings = f'{oidc(issuer.url)}[[plugins.access-token.issuers]]\nissuer = "{issuer.url}"\naudience = ["{AUDIENCE}"]\n'
    document = check.told(settings, token=access.jwt())
    assert {one["token_types"][0]: one["accepted"] for one in document["token"]} == {ID_TOKEN: False, ACCESS_TOKEN: True}
    # Asked for one of them, by plugin or by type, nothing but that counts.
    assert failed(check.told(settings, "oidc", token=access.jwt(), code=1), "token") == {
        "type": "token_kind_mismatch",
        "kind": "token_kind_mismatch",
    }
    assert failed(check.told(settings, "--type", "urn:starfly:token-type:oidc", token=access.jwt(), code=1), "token").keys() == {
        "type",
        "kind",
    }
    assert failed(check.told(settings, "--type", ACCESS_TOKEN, token=access.jwt()), "token") == {}


def test_what_nobody_takes_is_told_with_who_is_trusted(check: Check, issuer: Issuer) -> None:
    _ = issuer.forge
    document = check.told(oidc(issuer.url), token=Forge("https://stranger.example", STS, time.time).jwt(), code=1)
    found = checks(document, "token")["taker"]
    assert (found["reason"], found["expected"], found["seen"]) == ("issuer_not_trusted", [issuer.url], "https://stranger.example")
    assert failed(check.told(oidc(issuer.url), token="hello", code=1), "token").keys() == {"taker"}
    own = check.told(oidc(issuer.url), token=Forge(STS, STS, time.time).jwt(), code=1)
    assert "inspect --jwks" in checks(own, "token")["taker"]["hint"]


def test_clusters_that_share_an_issuer_are_told_apart_and_a_legacy_token_is_told(check: Check, tmp_path: Path) -> None:
    blue, green = (KubernetesForge(STS, time.time, kid=name) for name in ("blue", "green"))
    settings = ""
    for forge in (blue, green):
        (tmp_path / forge.kid).write_text(json.dumps(forge.jwks))
        settings += f'[[plugins.kubernetes.clusters]]\nname = "{forge.kid}"\nissuer = "{forge.issuer}"\n'
        settings += f'audience = ["{STS}"]\njwks_file = "{tmp_path}/{forge.kid}"\n'
    document = check.told(settings, token=green.jwt())
    assert [one["name"] for one in document["issuers"]] == ["blue", "green"]
    assert "of kubernetes:green" in checks(document, "token")["verdict"]["said"]
    for sibling, name, reason in (
        (green.jwt(aud=["https://kubernetes.default.svc"]), "audience", "audience_mismatch"),
        (green.jwt(aud=[STS, "https://kubernetes.default.svc"]), "sole audience", "audience_not_sole"),
        (green.jwt(**{"kubernetes.io": ABSENT}), "kubernetes.io", "claim_missing"),
        (green.legacy(), "verdict", "legacy_token"),
    ):
        assert failed(check.told(settings, token=sibling, code=1), "token")[name] == reason


# ── what it leaves alone ────────────────────────────────────────────────────────────────────────────────


def test_a_revoked_subject_is_told_and_nothing_is_spent_or_written(check: Check, issuer: Issuer, tmp_path: Path) -> None:
    store = f'[plugins.sqlite]\npath = "{tmp_path}/store.db"\n'
    keys = f'[plugins.keys-file]\ndirectory = "{tmp_path}/keys"\nkek = "{"4b" * 32}"\n'
    settings, token = oidc(issuer.url) + store + keys, issuer.forge.jwt()
    for _ in range(2):
        check.told(settings, token=token)
    assert not (tmp_path / "keys").exists()
    assert asyncio.run(_kept(tmp_path)) == []
    config = str(tmp_path / "cambist.toml")
    revoked = CliRunner().invoke(main, ["-c", config, "trust", "distrust", issuer.url, "--reason", "sold"], catch_exceptions=False)
    assert revoked.exit_code == 0
    document = check.told(settings, token=token, code=1)
    assert failed(document, "token") == {"verdict": "revoked"}
    assert "(sold)" in checks(document, "token")["verdict"]["said"]


async def _kept(folder: Path) -> list[str]:
    async with Sts(load(folder / "cambist.toml")).only_store() as store:
        return [key async for key, _ in store.scan("")]


def test_a_claim_cannot_steer_the_terminal(check: Check, issuer: Issuer) -> None:
    shown = check.ran(oidc(issuer.url), token=issuer.forge.jwt(sub="\x1b[2J", aud="\u202ex"), code=1).output
    assert not {"\x1b", "\u202e"} & set(shown)


# ── the command line ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("oidd",), "did you mean oidc?"),
        (("jwt", "https://x.example"), "no plugin 'jwt' judges"),
        (("oidc", "https://issuer.example/"), "'https://issuer.example' differs by a final slash"),
        (("oidc", "https://issuer.example", "more"), "at most a plugin and an issuer"),
        (("--type", JWT), "no plugin takes"),
        (("--token", "absent"), "absent"),
    ],
)
def test_what_names_nothing_is_a_wrong_command_line(check: Check, arguments: tuple[str, ...], said: str) -> None:
    assert said in check.ran(oidc("https://issuer.example"), *arguments, code=2).output


def test_settings_that_are_wrong_are_told_as_the_service_tells_them(check: Check) -> None:
    shown = check.ran('[[plugins.oidc.issuers]]\nissuer = "https://x.example"\n', code=3).output
    assert "plugins.oidc.issuers.0.audience: required" in shown


def test_only_the_issuer_that_is_named_is_looked_at(check: Check, issuer: Issuer) -> None:
    _ = issuer.forge
    settings = oidc(issuer.url) + oidc(f"http://127.0.0.1:{free_port()}")
    for named in ((issuer.url,), ("oidc", issuer.url)):
        assert [one["issuer"] for one in check.told(settings, *named)["issuers"]] == [issuer.url]
