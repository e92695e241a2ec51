"""The question as bytes: what OPA would take for undefined is never sent."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from cambist import Identity, PolicyInput, Proven, Unavailable
from cambist.caller import Caller
from cambist.question import probe
from cambist.request import Dialect, ExchangeRequest
from cambist.strictjson import loads
from cambist.value import replace
from cambist.zone import TOKEN_EXCHANGE, Zone


def question(attributes: Mapping[str, Any]) -> PolicyInput:
    identity = Identity(issuer="https://idp.example.test", subject="workload-1", attributes=attributes)
    proven = Proven(identity=identity, token_type="urn:x", expires_at=1_800_000_600.0)
    return PolicyInput(
        zone=Zone(id="default", issuer="https://sts.example.test"),
        now=1_800_000_000.0,
        request=ExchangeRequest(dialect=Dialect.V1, grant_type=TOKEN_EXCHANGE),
        client=Caller(id="c", proven=proven, method="subject"),
        subject=proven,
        actor=None,
        chain=(),
        targets=(),
    )


def test_the_question_is_the_document_as_strict_json() -> None:
    document = loads(question({"groups": ["a", "b"], "n": 1.5, "large": 10**30, "deep": {"ok": True, "none": None}}).encoded())
    assert document["version"] == 1
    assert document["subject"]["attributes"] == {"groups": ["a", "b"], "n": 1.5, "large": 10**30, "deep": {"ok": True, "none": None}}
    assert document["actor"] is None


def test_read_only_views_and_tuples_and_moments_are_said_in_json() -> None:
    moment = datetime.datetime(2027, 1, 15, 12, tzinfo=datetime.UTC)
    attributes = loads(question(MappingProxyType({"t": (1, 2), "at": moment, "view": MappingProxyType({"a": 1})})).encoded())["subject"][
        "attributes"
    ]
    assert attributes == {"t": [1, 2], "at": "2027-01-15T12:00:00Z", "view": {"a": 1}}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(["a", {"b": (1, float("-inf"))}], id="deep in a list"),
        pytest.param(MappingProxyType({"x": float("nan")}), id="in a view"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param(object(), id="no JSON at all"),
    ],
)
def test_what_json_cannot_say_is_refused_for_subject_and_actor(value: object) -> None:
    doubtful, plain = question({"claim": value}), question({})
    for asked in (doubtful, replace(plain, actor=doubtful.subject)):
        with pytest.raises(Unavailable) as caught:
            asked.encoded()
        assert "cannot be said in JSON" in str(caught.value.facts["cause"])


def test_attributes_that_contain_themselves_are_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Unavailable):
        question({"loop": loop}).encoded()


def test_the_trial_question_has_the_members_of_a_true_one() -> None:
    def members(value: object) -> object:
        return {name: members(inner) for name, inner in value.items()} if isinstance(value, dict) else None

    true, trial = json.loads(question({}).encoded()), json.loads(probe())
    assert members(trial) == members(true)
    assert trial["request"]["targets"]
