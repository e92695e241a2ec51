"""What the operator says of the rules, and of what they may use up."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cambist import Shape


class OpaWasmSettings(Shape):
    """Which rules are at work, and their limits."""

    bundle: Path | None = Field(
        None, description="A bundle as `opa build -t wasm` writes it (.tar.gz), or a bare .wasm; absent: the default rules."
    )
    data: Path | None = Field(None, description="A JSON document that is merged over the bundle's data; the rules see it as `data`.")
    entrypoint: str = Field("cambist/exchange/decision", min_length=1, description="The rule that decides, as `opa build -e` was told.")
    fuel: int = Field(
        20_000_000, ge=10_000, le=10_000_000_000, description="The most that one decision may cost, in units of about one instruction."
    )
    memory: int = Field(256, ge=2, le=4096, description="The most memory that the rules may have, in pages of 64 KiB.")
    deadline: float = Field(0.25, ge=0.05, le=5, description="The longest that one decision may take, in seconds.")
    reload: float = Field(5.0, ge=0, description="How long between two looks at the files, in seconds; 0: they are never looked at again.")
