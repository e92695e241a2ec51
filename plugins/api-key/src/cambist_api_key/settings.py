"""What the operator says of API keys."""

from __future__ import annotations

from pydantic import Field, field_validator

from cambist import Secret, Shape

MIN_PEPPER = 32
DAY = 86_400


class ApiKeySettings(Shape):
    """How API keys of this zone are hashed, how long they may live, and what they are good for."""

    pepper: Secret = Field(
        description="The secret under which keys are hashed: at least 32 random characters, not kept where the store is. "
        "Another pepper ends every key."
    )
    max_lifetime: int = Field(
        90 * DAY,
        gt=0,
        le=366 * DAY,
        description="The longest life of a key, in seconds from its creation; less of it also ends older keys.",
    )
    actors: bool = Field(False, description="Take keys as actor tokens too.")

    @field_validator("pepper")
    @classmethod
    def _not_guessable(cls, pepper: Secret) -> Secret:
        if len(pepper.reveal()) < MIN_PEPPER:
            raise ValueError(f"needs at least {MIN_PEPPER} random characters, such as `openssl rand -base64 32` prints")
        return pepper
