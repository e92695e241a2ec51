"""Asks a Kubernetes API server about a token (authentication.k8s.io/v1 TokenReview); no answer is believed for a second judgement.

The API server itself remembers for ten seconds that a token was good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from . import strictjson
from .check import Check
from .egress import Egress
from .errors import AudienceMismatch, Inactive, Unavailable
from .secret import Secret
from .shape import Shape
from .trusted_issuer import check_url

API = "authentication.k8s.io/v1"
PATH = f"/apis/{API}/tokenreviews"
NOBODYS = "cambist-trust-check"
"""A token that no cluster issued: to ask about it tells whether one may ask."""
_DENIED: Mapping[object, str] = {
    401: "It does not know Cambist's own token: `review.token_file` is of another cluster, or has expired.",
    403: "Bind the ClusterRole system:auth-delegator to Cambist's account: it may not create TokenReviews.",
}
_BEARER = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")


class Review(Shape):
    """How a cluster is asked about its tokens."""

    url: str = Field(description="The URL of its API server.")
    token_file: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        description="A file with the bearer token that may create TokenReviews there, read anew each time, because it rotates.",
    )

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        check_url(self.url, "url")
        return self


class TokenReview:
    """One cluster's API server, asked about tokens for these audiences. Raises Unavailable when there is no bearer token for it."""

    def __init__(self, cluster: str, audiences: tuple[str, ...], how: Review, http: Egress) -> None:
        self._cluster, self._audiences, self._how, self._http = cluster, audiences, how, http
        self._bearer()

    async def check(self, token: str, subject: str, uid: str) -> None:
        """Raises Inactive, AudienceMismatch, or Unavailable when the API server gives no sound answer about this very account."""
        status = await self._asked(token)
        if status.get("authenticated", False) is not True:
            raise Inactive(cluster=self._cluster, error=str(status.get("error", "")).replace(token, "…")[:500])
        user, audiences = status.get("user"), status.get("audiences")
        if not isinstance(user, dict) or (user.get("username"), user.get("uid")) != (subject, uid):
            raise self._unsound("it speaks of another account than the token")
        # Without any, the API server may know of no audiences at all, and the token may be for itself.
        if not isinstance(audiences, list) or not any(audience in self._audiences for audience in audiences):
            raise AudienceMismatch(expected=sorted(self._audiences))

    async def look(self) -> Sequence[Check]:
        """Whether the API server answers, and lets us ask: about a token that is nobody's."""
        try:
            status = await self._asked(NOBODYS)
        except Unavailable as error:
            return [Check.refused("review", error, hint=_DENIED.get(error.facts.get("status"), ""))]
        if status.get("authenticated", False) is not False:
            return [Check.refused("review", self._unsound("it authenticates a token that nobody issued"))]
        return [Check.passed("review", f"{self._how.url} reviews tokens for Cambist's account")]

    async def _asked(self, token: str) -> Mapping[str, Any]:
        document = {"apiVersion": API, "kind": "TokenReview", "spec": {"token": token, "audiences": list(self._audiences)}}
        headers = {"authorization": f"Bearer {self._bearer().reveal()}", "accept": "application/json", "content-type": "application/json"}
        answer = await self._http.send("POST", self._how.url.rstrip("/") + PATH, headers=headers, content=json.dumps(document).encode())
        if answer.status not in (200, 201):
            raise self._unsound(f"status {answer.status}", status=answer.status)
        try:
            told = strictjson.loads(answer.body)
        except strictjson.NotStrict as error:
            raise self._unsound(str(error)) from error
        if not isinstance(told, dict) or told.get("kind") != "TokenReview" or not isinstance(told.get("status"), dict):
            raise self._unsound("it is no TokenReview")
        status: Mapping[str, Any] = told["status"]
        return status

    def _bearer(self) -> Secret:
        """A projected token is replaced before it ends; what were kept of it here would end with it."""
        try:
            text = self._how.token_file.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise self._unsound(f"{self._how.token_file} cannot be read: {type(error).__name__}") from error
        if not _BEARER.fullmatch(text):
            raise self._unsound(f"{self._how.token_file} holds no bearer token")
        return Secret(text)

    def _unsound(self, cause: str, **facts: Any) -> Unavailable:
        return Unavailable(what=f"the TokenReview of {self._cluster}", cause=cause, **facts)
