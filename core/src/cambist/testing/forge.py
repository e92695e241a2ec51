"""An issuer of the test's own: it signs good JWTs, and precisely wrong ones."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ..clock import Clock
from ..compact import encode

ABSENT: Any = object()
"""The value of a claim or header member that is to be left out."""


class Forge:
    """One issuer with one key."""

    def __init__(self, issuer: str, audience: str, clock: Clock, *, algorithm: str = "ES256", kid: str = "k1") -> None:
        self.issuer, self.audience, self.clock, self.algorithm, self.kid = issuer, audience, clock, algorithm, kid
        self.key = _key(algorithm)

    @property
    def jwks(self) -> dict[str, Any]:
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock())
        good = {
            "iss": self.issuer,
            "sub": "workload-1",
            "aud": self.audience,
            "iat": now,
            "exp": now + 600,
            "jti": secrets.token_urlsafe(9),
        }
        return _changed(good, changes)

    def jwt(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """A good token, but for what is changed; ABSENT leaves a claim out."""
        head = _changed({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}, dict(header or {}))
        return self.signed(head, msgspec.json.encode(self.claims(**changes)))

    def signed(self, header: Mapping[str, Any], payload: bytes) -> str:
        """Any header and any payload, under a signature that verifies with the forge's key, whatever the header says."""
        signing_input = f"{encode(msgspec.json.encode(header))}.{encode(payload)}"
        algorithm = jws.JWSRegistry.algorithms[self.algorithm]
        return f"{signing_input}.{encode(algorithm.sign(signing_input.encode(), self.key))}"

    def wrong(self, folder: Path | None = None) -> dict[str, str]:
        """Tokens that are good but for one thing, by the rule that it breaks. With a folder, also one whose kid is a path into it."""
        now = int(self.clock())
        stranger = Forge(self.issuer, self.audience, self.clock, algorithm=self.algorithm, kid=self.kid)
        neighbour = Forge(f"{self.issuer}.example.net", self.audience, self.clock, algorithm=self.algorithm, kid=self.kid)
        neighbour.key = self.key
        unsigned = f"{encode(msgspec.json.encode({'alg': 'none', 'kid': self.kid}))}.{encode(msgspec.json.encode(self.claims()))}"
        return {
            "signed by somebody else (RFC 7515 section 5.2)": stranger.jwt(),
            "not signed at all (RFC 8725 section 3.1: alg none)": f"{unsigned}.",
            "alg none with a signature beside it (RFC 8725 section 3.1)": self.jwt({"alg": "none"}),
            "signed with the public key as an HMAC secret (RFC 8725 section 3.1: the token does not choose the algorithm)": self.confused(),
            "expired (RFC 7519 section 4.1.4)": self.jwt(exp=now - 1, iat=now - 600),
            "without an end (RFC 7519 section 4.1.4: no token outlives its credential)": self.jwt(exp=ABSENT),
            "ending at a text (RFC 7519 section 2)": self.jwt(exp=str(now + 600)),
            "not valid yet (RFC 7519 section 4.1.5)": self.jwt(nbf=now + 400),
            "issued in the future (RFC 7519 section 4.1.6)": self.jwt(iat=now + 400),
            "living for ten years (RFC 6750 section 5.3: bearer tokens are short-lived)": self.jwt(exp=now + 10 * 365 * 86_400),
            "for somebody else (RFC 7519 section 4.1.3)": self.jwt(aud="https://other.example.test"),
            "for a name that begins like ours (RFC 7519 section 4.1.3)": self.jwt(aud=f"{self.audience}.example.net"),
            "for nobody (RFC 8725 section 3.9)": self.jwt(aud=ABSENT),
            "of an issuer whose name begins like the trusted one's (RFC 8725 section 3.8)": neighbour.jwt(),
            "of no issuer (RFC 8725 section 3.8)": self.jwt(iss=ABSENT),
            "about nobody (RFC 7519 section 4.1.2)": self.jwt(sub=ABSENT),
            "with an extension that must be understood (RFC 7515 section 4.1.11)": self.jwt({"crit": ["x"], "x": 1}),
            "of another kind (RFC 8725 section 3.11: typ)": self.jwt({"typ": "dpop+jwt"}),
            "bringing its own key (RFC 8725 section 3.10: jwk)": stranger.jwt({"jwk": stranger.jwks["keys"][0]}),
            **({"whose kid is a path (RFC 8725 section 3.10)": stranger.planted(folder)} if folder else {}),
        }

    def confused(self) -> str:
        """An HMAC under the public key, as a verifier would check that lets the token choose the algorithm."""
        signing_input = f"{encode(msgspec.json.encode({'alg': 'HS256', 'kid': self.kid}))}.{encode(msgspec.json.encode(self.claims()))}"
        public = self.key.as_pem(private=False)
        return f"{signing_input}.{encode(hmac.digest(public, signing_input.encode(), 'sha256'))}"

    def planted(self, folder: Path) -> str:
        """A token whose kid is the path of a file that holds this forge's key."""
        path = folder / "planted.json"
        path.write_bytes(msgspec.json.encode(self.jwks["keys"][0]))
        return self.jwt({"kid": str(path)})


def _changed(good: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (good | dict(changes)).items() if value is not ABSENT}


def _key(algorithm: str) -> RSAKey | ECKey | OKPKey:
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.generate_key(2048)
    if algorithm.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])
    return OKPKey.generate_key("Ed25519")
