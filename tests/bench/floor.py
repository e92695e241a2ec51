"""The floor: what an exchange cannot do without, by the same libraries and in the same order, and nothing around it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from cambist.compact import base64url, encode
from cambist_opa_wasm.calls import fastest
from cambist_opa_wasm.instance import Bounds, Instance
from cambist_opa_wasm.module import compiled
from cambist_opa_wasm.rules import read
from cambist_opa_wasm.runtime import runtime

from .work import ROOT, Work

SHA256 = ec.ECDSA(hashes.SHA256())


def floor(work: Work, folder: Path) -> Callable[[], Awaitable[object]]:
    """Read the request, verify one ES256 signature, evaluate the compiled policy, sign one, and write the answer and a ledger line."""
    public, own = work.ec.public_key, ec.generate_private_key(ec.SECP256R1())
    rules = read(ROOT / "policies/bundle.tar.gz", work.data(folder))
    held = runtime()
    held.__enter__()
    instance = Instance(
        compiled(rules.wasm), rules.data, "cambist/exchange/decision", Bounds(fuel=10**8, deadline=1.0, memory=256), fastest()
    )
    body, question = work.body(), work.question()
    ledger = os.open(folder / "floor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    header = encode(msgspec.json.encode({"alg": "ES256", "kid": "k", "typ": "at+jwt"}))

    async def once() -> bytes:
        asked = msgspec.json.decode(body)
        signed, _, signature = asked["subject_token"].rpartition(".")
        head, _, payload = signed.partition(".")
        msgspec.json.decode(base64url(head))
        claims = msgspec.json.decode(base64url(payload))
        raw = base64url(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public.verify(der, signed.encode(), SHA256)
        msgspec.json.decode(instance.evaluate(question))
        minted = {
            "iss": work.audience,
            "sub": claims["sub"],
            "aud": asked["audience"],
            "exp": claims["exp"],
            "iat": claims["iat"],
            "jti": "j",
        }
        message = f"{header}.{encode(msgspec.json.encode(minted))}"
        r, s = decode_dss_signature(own.sign(message.encode(), SHA256))
        token = f"{message}.{encode(r.to_bytes(32) + s.to_bytes(32))}"
        os.write(ledger, msgspec.json.encode(minted))
        await asyncio.sleep(0)
        return msgspec.json.encode({"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": asked["scope"]})

    return once
