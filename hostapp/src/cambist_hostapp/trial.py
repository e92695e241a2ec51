"""What would become of a sample token: who takes it, check by check what of it passes, and the verdict of the very guard that serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cambist import Credential, Proven, Refusal, Role
from cambist.check import Check, Sample, State, differing
from cambist.credential import NOTHING
from cambist.errors import CredentialMalformed, IssuerNotTrusted, PossessionMissing, Revoked
from cambist.fence import fenced
from cambist.hooks import CanDiagnose
from cambist.judges import Judges
from cambist.revocation import Revocations
from cambist.spelling import differences
from cambist.standing import of_proof
from cambist.validator import Seated

OWN = "Its keys are with the running service: verify it by that key set, `cambist inspect --jwks FILE`."
CALLER = "does not prove who calls: an application must authenticate, or `authenticates` list this type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What the command line names; None: all."""

    plugin: str | None = None
    issuer: str | None = None
    token_type: str | None = None

    def types(self, seated: Seated) -> Sequence[str]:
        """As which of these types a plugin could be sent the sample; none where another plugin is sought, or another's issuer."""
        if self.plugin not in (None, seated.plugin) or (seated.issuers is not None and self.issuer not in (None, *seated.issuers)):
            return ()
        return sorted(name for name in seated.token_types if self.token_type in (None, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What would become of a sample that is sent as one of these types. Without a plugin, nobody takes it."""

    token_types: Sequence[str]
    checks: Sequence[Check]
    plugin: str | None = None
    taken: bool = False

    @property
    def accepted(self) -> bool:
        return self.taken and all(check.state is not State.FAILED for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A sample before the judges of a zone."""

    judges: Judges
    revocations: Revocations
    sought: Sought
    token: str = field(repr=False)

    async def judgements(self) -> Sequence[Judgement]:
        """One by each plugin that takes it; where none does, by each that was named or is nearly meant, to say why not."""
        able = [(seated, types) for seated in self.judges.seated if (types := self.sought.types(seated))]
        found = [(seated, taken) for seated, types in able if (taken := self._taken(seated, types))]
        if not found and (self.sought.plugin or self.sought.issuer):
            found = able
        found = found or [(seated, types) for seated, types in able if self._alike(seated)]
        return [await self._judged(seated, types) for seated, types in found] or [self._nobody()]

    # ── who takes it ────────────────────────────────────────────────────────────────────────────────────

    def _sent(self, token_type: str) -> Credential:
        return Credential(token=self.token, token_type=token_type, role=Role.SUBJECT)

    def _taken(self, seated: Seated, types: Sequence[str]) -> Sequence[str]:
        """Those of the types as which it is this validator's."""
        return [name for name in types if self._taker(name) is seated]

    def _taker(self, token_type: str) -> Seated | Refusal:
        try:
            return self.judges.guard.takers[Role.SUBJECT].taker(self._sent(token_type))[0]
        except Refusal as refusal:
            return refusal

    @property
    def _named(self) -> str:
        """The issuer that it names."""
        try:
            return self._sent("").unverified().issuer or ""
        except CredentialMalformed:
            return ""

    def _alike(self, seated: Seated) -> Sequence[str]:
        """The plugin's issuers that a reader takes for the one it names."""
        return [name for name in sorted(seated.issuers or ()) if differences(name, self._named)]

    def _meant(self, seated: Seated) -> str | None:
        """Whose it is to be judged as; where it names nobody of the plugin's, the one nearly meant, or the only one there is."""
        issuers = sorted(seated.issuers or ())
        if self.sought.issuer is not None or self._named in issuers:
            return self.sought.issuer
        likely = self._alike(seated) or issuers
        return likely[0] if len(likely) == 1 else None

    def _nobody(self) -> Judgement:
        """Why nobody takes it. One of this service itself is taken, but not here."""
        types = sorted({name for seated in self.judges.seated for name in self.sought.types(seated)})
        if self._named in self.judges.guard.audiences:
            return Judgement(token_types=types, checks=[Check.noted("taker", "a token of this service, which it takes to narrow it", OWN)])
        found = self._taker(types[0]) if types else IssuerNotTrusted()
        refusal = found if isinstance(found, Refusal) else IssuerNotTrusted()
        if isinstance(refusal, IssuerNotTrusted):
            trusted = {name for seated in self.judges.seated for name in seated.issuers or ()}
            refusal = IssuerNotTrusted(expected=sorted(trusted), seen=self._named)
        said = f"nobody takes it: {refusal.said}{differing(refusal.expected, refusal.seen)}"
        return Judgement(token_types=types, checks=[Check.refused("taker", refusal, said)])

    # ── what becomes of it ──────────────────────────────────────────────────────────────────────────────

    async def _judged(self, seated: Seated, types: Sequence[str]) -> Judgement:
        credential = self._sent(types[0])
        checks = await self._diagnosed(seated, credential)
        try:
            verdict = list(self._accepted(credential, await self._proven(credential)))
        except PossessionMissing:
            verdict = [Check.noted("bound", "bound to a key: a request with it must prove that it holds that key")]
        except Refusal as refusal:
            told = refusal.reason in {check.reason for check in checks}
            verdict = [] if told else [Check.refused("verdict", refusal)]
        taken = self._taker(types[0]) is seated
        return Judgement(plugin=seated.plugin, taken=taken, token_types=types, checks=[*checks, *verdict])

    async def _diagnosed(self, seated: Seated, credential: Credential) -> Sequence[Check]:
        """What the plugin itself can say, past the first check that fails."""
        if not isinstance(seated.validator, CanDiagnose):
            return []
        sample = Sample(credential=credential, audiences=self.judges.guard.audiences, issuer=self._meant(seated))
        try:
            with fenced(seated.plugin):
                return await seated.validator.diagnose(sample)
        except Refusal as refusal:
            return [Check.refused("diagnosis", refusal)]

    async def _proven(self, credential: Credential) -> Proven:
        """What counts. The guard touches no store, so that a token which is good once stays good. Raises Refusal."""
        proven, revocations, zone = await self.judges.guard.prove(credential, NOTHING), self.revocations, self.judges.zone
        if await revocations.any() and (found := revocations.among(zone.id, of_proof(zone, proven))) is not None:
            raise Revoked(f"revoked: {found.kind} {' '.join(found.parts)}{f' ({found.reason})' if found.reason else ''}")
        return proven

    def _accepted(self, credential: Credential, proven: Proven) -> Iterator[Check]:
        yield Check.passed("verdict", f"{proven.identity.subject} of {proven.identity.issuer}")
        if proven.single_use_until is not None:
            yield Check.noted("once", "good for one exchange; this has not used it")
        if credential.token_type not in self.judges.zone.authenticates:
            yield Check.noted("caller", CALLER)
