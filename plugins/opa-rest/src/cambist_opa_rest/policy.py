"""The policy backend: one POST for each decision, through the one HTTP client, over connections that stay open."""

from __future__ import annotations

from cambist import Answer, PolicyInput
from cambist.clock import within
from cambist.egress import Egress
from cambist.question import probe

from .reply import UNVERSIONED, answered
from .settings import OpaRestSettings


class OpaRestPolicy:
    """Asks OPA. It is never asked twice for one decision, and no answer outlives its question: what it says now counts."""

    name = "opa-rest"

    def __init__(self, settings: OpaRestSettings, http: Egress) -> None:
        self._http, self._deadline = http, settings.deadline
        # `provenance`: OPA says with each answer which bundles it came from.
        self._url = f"{settings.url}/v1/data/{settings.entrypoint}?provenance=true"
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if settings.token is not None:
            self._headers["authorization"] = f"Bearer {settings.token.reveal()}"
        self._revision = UNVERSIONED

    @property
    def revision(self) -> str:
        """The rules that answered last; each answer has its own."""
        return self._revision

    async def decide(self, question: PolicyInput) -> Answer:
        return await self.asked(question.encoded())

    async def ping(self) -> None:
        """Asks about nobody: shows whether OPA is there, lets us ask, has rules, and speaks our language. Raises Unavailable."""
        await self.asked(probe())

    async def asked(self, question: bytes) -> Answer:
        """What OPA answers to a question that is JSON already. Raises Unavailable."""
        asked = self._http.send("POST", self._url, headers=self._headers, content=b'{"input":%b}' % question)
        reply = await within(self._deadline, "OPA", asked)
        answer = answered(reply)
        self._revision = answer.revision or UNVERSIONED
        return answer
