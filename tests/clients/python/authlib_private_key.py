"""Authlib's private_key_jwt as it is by default: for the token endpoint, living for an hour. The application's entry allows both."""

import json
import os
from pathlib import Path

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

key = ECKey.import_key(json.loads(Path(os.environ["KEY_JWK"]).read_text()))
proof = PrivateKeyJWT(alg="ES256", headers={"kid": key.kid})
session = OAuth2Session(os.environ["CLIENT"], key, token_endpoint_auth_method=proof)
session.fetch_token(
    f"{os.environ['STS']}/oauth/2/token",
    grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token=Path(os.environ["TOKEN_FILE"]).read_text(),
    subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    audience=os.environ["API"],
    scope="read",
)
print(session.get(os.environ["API"]).text)
