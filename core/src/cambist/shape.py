"""What every settings shape is: frozen, strict about unknown keys, described field by field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Field


class Shape(BaseModel):
    """A table of settings. Subclass it, annotate the fields, give each a `Field(description=…)`: that is its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
