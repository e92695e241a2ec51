"""What the operator declared: the boundary of tenant, keys, policy and trust, and who and what lives inside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from .secret import Secret
from .shape import Shape
from .token_type import canonical

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
CLIENT_CREDENTIALS: Final = "client_credentials"

Grant = Literal["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"]


class KnownIdentity(Shape):
    """An identity at an issuer that is this application."""

    issuer: str = Field(description="The issuer, letter by letter.")
    subject: str = Field(description="The subject at that issuer.")


class Application(Shape):
    """A calling application: how it proves itself, and what it may ask for."""

    secret_hash: Secret | None = Field(None, description="Argon2id hash of the client secret, as `cambist hash-secret` prints it.")
    jwks: dict[str, Any] | None = Field(None, description="Public keys for `private_key_jwt`, as a JWK set.")
    algorithms: tuple[str, ...] = Field(
        ("ES256", "PS256", "EdDSA", "Ed25519"), description="Signature algorithms allowed for its assertions."
    )
    assertion_audience: Literal["issuer", "token_endpoint"] = Field(
        "issuer",
        description="What an assertion must name as its only audience (RFC 10070); `token_endpoint` for clients that cannot.",
    )
    assertion_lifetime: int = Field(
        300, ge=10, le=3600, description="The longest lifetime of an assertion, in seconds; more than 300 for clients that cannot be told."
    )
    grants: tuple[Grant, ...] = Field((TOKEN_EXCHANGE,), description="Grant types it may use.")
    default_target: str | None = Field(None, description="The target when a request names none.")
    identities: tuple[KnownIdentity, ...] = Field(
        (), description="Identities that are this application, so that it can be an actor by its own token."
    )


class Resource(Shape):
    """A target that tokens can be issued for; its key in the settings is its identifier."""

    scopes: tuple[str, ...] | None = Field(None, description="Scopes that exist at this resource; absent: any.")
    ttl: int | None = Field(
        None, gt=0, description="The lifetime of its tokens, and the most that may be asked for, in seconds; absent: as in the zone."
    )
    owner: str | None = Field(None, description="The application whose resource this is: it may exchange tokens that were issued for it.")


class Zone(Shape):
    """One zone. Without `zones` in the settings there is one, `default`, and its keys stand at the top level."""

    id: str = Field("default", description="The name of the zone.", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    issuer: str = Field("", description="What tokens of this zone name as `iss`; absent: the service's. Its path is that of its endpoints.")
    trust_domain: str = Field(
        "", description="The authority of the identifiers in `sub`; absent: made of the issuer's host and the zone's name."
    )
    policy: str | None = Field(None, description="The policy backend that decides, by plugin name; absent: the only one that is enabled.")
    authenticates: tuple[str, ...] = Field((), description="Subject token types that prove the caller by themselves.")
    accept: tuple[Literal["form", "json"], ...] = Field((), description="Media types that both endpoints take, beside their own.")
    compat: Literal["caracal"] | None = Field(None, description="Answer like this system where its clients need it.")
    bootstrap: bool = Field(False, description="Mint for an authenticated application that presents no subject token.")
    ttl: int = Field(300, gt=0, description="Lifetime of a token, in seconds.")
    max_ttl: int = Field(3600, gt=0, description="The longest lifetime that may be asked for, in seconds.")
    execution_ttl: int = Field(30, gt=0, description="Lifetime of a token with an execution scope, in seconds.")
    max_token: int = Field(16_384, gt=0, description="The longest credential that is read, in characters.")
    max_chain: int = Field(5, ge=0, description="The longest chain of actors, in and out.")
    applications: Mapping[str, Application] = Field(default_factory=dict, description="The calling applications, by id.")
    resources: Mapping[str, Resource] = Field(default_factory=dict, description="The declared targets, by identifier.")
    # These tables are as the operator wrote them, so their secrets are bare: they must not be in any `repr`.
    plugins: Mapping[str, Mapping[str, Any]] = Field(
        default_factory=dict, repr=False, description="One table for each enabled plugin; the table enables it."
    )

    @field_validator("authenticates")
    @classmethod
    def _by_their_one_name(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical(name) for name in types)

    @cached_property
    def authority(self) -> str:
        """The trust domain of this zone's identifiers (WIMSE identifier section 4.1)."""
        if self.trust_domain:
            return self.trust_domain
        host = urlsplit(self.issuer).hostname or ""
        return host if self.id == "default" else f"{self.id}.{host}"

    @cached_property
    def by_identity(self) -> Mapping[tuple[str, str], str]:
        """The application that is known by an issuer and its subject."""
        return {(known.issuer, known.subject): name for name, app in self.applications.items() for known in app.identities}

    @cached_property
    def _owned(self) -> Mapping[str, frozenset[str]]:
        """What each owner owns: an exchange must not look through all resources."""
        owned: dict[str, set[str]] = {}
        for name, resource in self.resources.items():
            if resource.owner is not None:
                owned.setdefault(resource.owner, set()).add(name)
        return {owner: frozenset(names) for owner, names in owned.items()}

    def owned_by(self, application: str) -> frozenset[str]:
        return self._owned.get(application, frozenset())
