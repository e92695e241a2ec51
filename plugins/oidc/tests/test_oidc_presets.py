"""Each preset, with a vector of the day it is dated by: ids that make the subject, names anybody could take, runs anybody could cause."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cambist import Credential, Proven, Refusal, Role
from cambist.check import Sample, State
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.errors import ClaimMissing, ClaimNotAccepted, ProposedChange
from cambist.jwts import Jwts
from cambist.testing import ABSENT, DeafHttp, IdTokenForge, MovableClock
from cambist.token_type import ID_TOKEN
from cambist_oidc.settings import PRESETS, OidcSettings
from cambist_oidc.validator import OidcValidator

CLIENT = "cambist"
VECTORS: Mapping[str, Mapping[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
CLOCK = MovableClock()
FORGES = {name: IdTokenForge(vector["claims"]["iss"], CLIENT, CLOCK) for name, vector in VECTORS.items()}
each = pytest.mark.parametrize("name", VECTORS)


def plugin(name: str, **more: Any) -> OidcValidator:
    vector = VECTORS[name]
    entry = {"preset": vector["preset"], "audience": [CLIENT], "jwks": FORGES[name].jwks, "only": vector["only"], **more}
    if "issuer" in vector:
        entry["issuer"] = vector["issuer"]
    http = Egress(EgressSettings(), DeafHttp())
    return OidcValidator(OidcSettings.model_validate({"issuers": [entry]}), Jwts(http, CLOCK))


async def judged(name: str, validator: OidcValidator | None = None, **changes: Any) -> Proven:
    token = FORGES[name].jwt(**{"azp": ABSENT, **VECTORS[name]["claims"], **changes})
    return await (validator or plugin(name)).validate(Credential(token=token, token_type=ID_TOKEN, role=Role.SUBJECT))


@pytest.mark.row("T-oidc")
@each
async def test_a_token_of_its_day_is_read_without_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    vector = VECTORS[name]
    proven = await judged(name)
    assert proven.identity.subject == vector["subject"]
    assert vector["facts"].items() <= proven.identity.attributes.items()
    assert caplog.records == []


@each
def test_the_vector_is_of_the_day_that_the_preset_names(name: str) -> None:
    vector = VECTORS[name]
    assert PRESETS[vector["preset"]].dated == date.fromisoformat(vector["dated"])


def test_every_preset_and_every_dated_format_has_a_vector() -> None:
    assert {vector["preset"] for vector in VECTORS.values()} == PRESETS.keys()
    for preset in PRESETS.values():
        subjects = [vector["claims"]["sub"] for vector in VECTORS.values() if vector["preset"] == preset.name]
        newest = max(preset.formats, default=None)
        assert newest is None or any(re.fullmatch(preset.formats[newest], subject) for subject in subjects), preset.name
        assert all(date.fromisoformat(since) <= preset.dated for since in preset.formats)


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if "colliding" in vector])
async def test_one_that_took_the_name_of_another_is_refused_by_its_id(name: str) -> None:
    with pytest.raises(ClaimNotAccepted) as refusal:
        await judged(name, **VECTORS[name]["colliding"])
    [expected] = VECTORS[name]["only"].values()
    assert refusal.value.expected == expected
    assert refusal.value.seen not in expected


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if PRESETS[vector["preset"]].subject])
async def test_no_name_that_can_be_registered_anew_is_in_a_subject(name: str) -> None:
    claims, subject = VECTORS[name]["claims"], VECTORS[name]["subject"]
    for renamed in ("repository", "project_path", "pipeline_slug", "organization_slug", "terraform_workspace_name", "sub"):
        if renamed in claims:
            assert (await judged(name, **{renamed: claims[renamed] + "-2"})).identity.subject == subject


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if "proposed" in vector])
async def test_a_run_that_a_proposed_change_has_caused_is_refused_unless_it_is_let_in(name: str) -> None:
    changes = VECTORS[name]["proposed"]
    with pytest.raises(ProposedChange):
        await judged(name, **changes)
    proven = await judged(name, plugin(name, pull_requests=True), **changes)
    assert proven.identity.attributes["proposed_change"] is True


@pytest.mark.parametrize("name", VECTORS)
async def test_without_an_id_that_makes_the_subject_or_a_claim_that_it_needs_it_is_refused(name: str) -> None:
    preset = PRESETS[VECTORS[name]["preset"]]
    for wanted in {*preset.subject, *preset.needed}:
        [claim] = preset.names.get(wanted, (wanted,))
        for value in (ABSENT, "", None, True, ["74"], {"id": "74"}):
            with pytest.raises(ClaimMissing) as refusal:
                await judged(name, plugin(name), **{claim: value})
            assert refusal.value.expected == wanted or refusal.value.expected in VECTORS[name]["only"]


async def test_a_claim_that_has_the_name_of_a_mapped_one_does_not_stand_for_it() -> None:
    name = "circleci 2023-06-01"
    with pytest.raises(ClaimMissing):
        await judged(name, **{"oidc.circleci.com/project-id": ABSENT, "project_id": "project-1"})
    proven = await judged(name, project_id="project-9", vcs_origin="github.com/evil/app")
    assert proven.identity.subject == "project_id:project-1"
    assert proven.identity.attributes["vcs_origin"] == "github.com/acme/app"
    assert "organization_id" not in (await judged(name, organization_id="org-9")).identity.attributes


async def test_ids_are_escaped_so_that_no_two_make_one_subject() -> None:
    name = "github-actions 2026-07-15"
    validator = plugin(name, only={"repository_visibility": ["private"], "repository_id": ["1", "1:repository_id:2", "2"]})
    one = await judged(name, validator, repository_owner_id="1:repository_id:1", repository_id="2")
    other = await judged(name, validator, repository_owner_id="1", repository_id="1:repository_id:2")
    assert one.identity.subject == "repository_owner_id:1%3Arepository_id%3A1:repository_id:2"
    assert one.identity.subject != other.identity.subject


async def test_a_number_and_its_text_are_one_id() -> None:
    name = "gitlab 2022-12-22"
    assert (await judged(name, project_id=22)).identity.subject == VECTORS[name]["subject"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"brand_new": 1}, "has a new claim 'brand_new'"),
        ({"workflow": ABSENT}, "lacks the claim 'workflow'"),
        ({"sub": "https://github.com/octo-org"}, "writes sub in a new format"),
        ({"a\nb": 1}, "has a new claim 'a\\nb'"),
    ],
)
async def test_what_has_changed_at_the_issuer_is_told_once_and_refuses_nothing(
    changes: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = "github-actions 2026-07-15"
    validator = plugin(name)
    for _ in range(3):
        await judged(name, validator, **changes)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"{VECTORS[name]['claims']['iss']} {said} (preset github-actions of 2026-11-25)"


async def test_an_issuer_that_invents_claims_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    name = "github-actions 2026-07-15"
    validator = plugin(name)
    for number in range(60):
        await judged(name, validator, **{f"new_{number}": "x"})
    assert len(caplog.records) == 50


async def test_an_issuer_without_a_preset_may_write_what_it_likes(caplog: pytest.LogCaptureFixture) -> None:
    forge = IdTokenForge("https://a.example", CLIENT, CLOCK)
    entry = {"issuer": forge.issuer, "audience": [CLIENT], "jwks": forge.jwks, "names": {"team": ["org", "team"]}, "subject": ["uid"]}
    validator = OidcValidator(OidcSettings.model_validate({"issuers": [entry]}), Jwts(Egress(EgressSettings(), DeafHttp()), CLOCK))
    token = forge.jwt(uid="u/1", org={"team": "red"}, anything=[1])
    proven = await validator.validate(Credential(token=token, token_type=ID_TOKEN, role=Role.SUBJECT))
    assert (proven.identity.subject, proven.identity.attributes["team"]) == ("uid:u%2F1", "red")
    assert caplog.records == []


def test_every_refusal_of_a_preset_has_its_own_reason_and_a_hint() -> None:
    kinds: list[type[Refusal]] = [ClaimMissing, ClaimNotAccepted, ProposedChange]
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert all(kind.hint for kind in kinds)


# ── what an operator is told of a token ─────────────────────────────────────────────────────────────────

GITHUB = next(name for name, vector in VECTORS.items() if vector["preset"] == "github-actions")


async def checked(validator: OidcValidator, **changes: Any) -> tuple[list[str], list[str]]:
    """The checks of a token by name, without those of every JWT; and those of all that failed."""
    token = FORGES[GITHUB].jwt(**{"azp": ABSENT, **VECTORS[GITHUB]["claims"], **changes})
    checks = await validator.diagnose(Sample(credential=Credential(token=token, token_type=ID_TOKEN, role=Role.SUBJECT)))
    names = [check.name for check in checks]
    return names[names.index("audience") + 1 :], [check.name for check in checks if check.state is State.FAILED]


async def test_each_thing_that_an_entry_asks_is_checked_by_its_own_name(caplog: pytest.LogCaptureFixture) -> None:
    [only] = VECTORS[GITHUB]["only"]
    expected = ["kind", "issued", "party", "nonce", f"only.{only}", "change", "subject"]
    assert await checked(plugin(GITHUB)) == (expected, [])
    assert caplog.records == []


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"iat": ABSENT}, {"issued"}),
        ({"azp": "another"}, {"party"}),
        ({"aud": [CLIENT, "another"]}, {"party"}),
        ({"nonce": "another"}, {"nonce"}),
        ({"nonce": ABSENT}, {"nonce"}),
        ({"nonce": ABSENT, "repository_owner_id": "1"}, {"nonce", "only.repository_owner_id"}),
        ({"event_name": "pull_request"}, {"change"}),
        ({"repository_id": ABSENT}, {"subject"}),
        ({"scope": "read", "token_use": "access"}, {"kind"}),
    ],
)
async def test_what_is_wrong_with_a_token_fails_the_check_of_that_name(changes: dict[str, Any], failed: set[str]) -> None:
    _, found = await checked(plugin(GITHUB, nonce="n-1"), **{"nonce": "n-1", **changes})
    assert failed <= set(found)


async def test_what_an_issuer_has_changed_is_warned_of_once_though_every_check_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    await checked(plugin(GITHUB), brand_new="claim")
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        f"{VECTORS[GITHUB]['claims']['iss']} has a new claim 'brand_new'"
    ]


async def test_a_token_that_tells_of_a_proposed_change_passes_where_those_are_let_in() -> None:
    _, failed = await checked(plugin(GITHUB, pull_requests=True), event_name="pull_request")
    assert failed == []


def test_a_credential_is_its_business_when_its_issuer_is_listed() -> None:
    validator = plugin(GITHUB)
    assert validator.recognizes(Unverified(token_type=ID_TOKEN, issuer=VECTORS[GITHUB]["claims"]["iss"]))
    assert not validator.recognizes(Unverified(token_type=ID_TOKEN, issuer="https://another.example"))
