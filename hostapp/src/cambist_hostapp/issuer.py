"""An issuer for development: a key of its own, signatures that are real, and tokens for whoever asks on this machine."""

from __future__ import annotations

import secrets
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey
from quart import Quart, request

LIFETIME = 3600


class DevelopmentIssuer:
    """Signs ES256 tokens for one audience, and publishes its key by discovery."""

    def __init__(self, url: str, audience: str) -> None:
        self.url, self.audience = url, audience
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)

    def token(self, subject: str) -> str:
        """A token that is good for LIFETIME seconds."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": self.audience,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid, "typ": "JWT"}, claims, self._key)

    def app(self) -> Quart:
        """Its HTTP side: discovery, keys, and `/token?sub=`."""
        app = Quart("cambist-development-issuer", static_folder=None)

        async def discovery() -> dict[str, Any]:
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks.json"}

        async def keys() -> dict[str, Any]:
            return {"keys": [self._key.as_dict(private=False)]}

        async def token() -> tuple[str, int, dict[str, str]]:
            return self.token(request.args.get("sub", SUBJECT)) + "\n", 200, {"content-type": "text/plain"}

        app.add_url_rule("/.well-known/openid-configuration", "discovery", discovery)
        app.add_url_rule("/jwks.json", "keys", keys)
        app.add_url_rule("/token", "token", token)
        return app


SUBJECT = "system:serviceaccount:shop:checkout"
