"""A string that will not print."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from pydantic import Field, ValidationError

from cambist import Secret, Shape

TEXT = "correct horse battery staple"


class Table(Shape):
    """A table with a secret in it."""

    password: Secret = Field(description="A secret.")


def test_a_secret_is_revealed_only_when_it_is_asked_to_be() -> None:
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    for printed in (repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", "%s" % secret, repr([secret]), repr({"a": secret})):  # noqa: UP031 - logging formats so
        assert TEXT not in printed
        assert "<secret>" in printed


def test_a_secret_in_settings_is_not_printed_with_them() -> None:
    table = Table.model_validate({"password": TEXT})
    assert table.password.reveal() == TEXT
    assert TEXT not in repr(table)
    assert table.model_dump(mode="json") == {"password": "<secret>"}
    assert TEXT not in table.model_dump_json()


@pytest.mark.parametrize("value", ["", 5, None, ["a"], {"a": 1}])
def test_a_secret_is_text_and_what_is_wrong_with_it_is_told_without_it(value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Table.model_validate({"password": value})
    assert "password" in str(refused.value)
    with pytest.raises(ValidationError) as refused:
        Table.model_validate({"password": [TEXT]})
    assert TEXT not in str(refused.value)


def test_secrets_compare_by_their_text_and_only_with_secrets() -> None:
    assert Secret("pässwörd") == Secret("pässwörd")
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret(TEXT + " ")
    assert Secret(TEXT) != TEXT
    assert (bool(Secret("")), bool(Secret("x"))) == (False, True)


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_pickled(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError, match="not pickled"):
        leak(Secret(TEXT))


def test_a_secret_has_no_members_that_a_serializer_would_find() -> None:
    assert not hasattr(Secret(TEXT), "__dict__")
    with pytest.raises(TypeError):
        json.dumps(Secret(TEXT))
