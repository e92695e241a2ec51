"""Sets that are judged without HTTP, each through the public function that does the same work in the service."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator

from cambist import CredentialMalformed, Identity
from cambist.identifier import identifier, parsed
from cambist.strictjson import NotStrict, loads
from cambist.zone import Zone

from .corpus import Case, Corpus
from .dialogue import Run
from .judging import HANG, Judgement
from .skips import Skipped, Why
from .stage import HERE, ISSUER
from .tally import Tally

Judge = Callable[[Case], bool]
"""Whether a case is accepted. Raises Skipped; whatever else it raises is unclean."""


def play(corpus: Corpus, judge: Judge, run: Run) -> Tally:
    """A whole set by one function."""
    tally = Tally(corpus.name, differences=run.differences)
    for case in corpus.cases:
        try:
            tally.count(case, judgement(case, judge))
        except Skipped as skipped:
            tally.skip(case.id, skipped)
    return tally


def judgement(case: Case, judge: Judge) -> Judgement:
    """One case. Raises Skipped."""
    begun, unclean = time.perf_counter(), []
    try:
        accepted = judge(case)
    except Skipped:
        raise
    except Exception as error:
        accepted, unclean = False, [f"exception {type(error).__name__}"]
    if (seconds := time.perf_counter() - begun) > HANG:
        unclean.append(f"{seconds:.1f} seconds")
    verdict = "accept" if accepted else "refuse"
    wrong = () if case.expect in (verdict, "either") else (f"{verdict}, not {case.expect}",)
    return Judgement(accepted, accepted and case.expect == "refuse", wrong, tuple(unclean))


def json_parsing(case: Case) -> bool:
    """The strict decoder."""
    try:
        loads(base64.b64decode(case.input["b64"]))
    except NotStrict:
        return False
    return True


def workload_identifiers(case: Case) -> bool:
    """Whether it is an identifier, whether an issuer that is bound to an origin may assert it, whether two are one party."""
    match case.input:
        case {"kind": "spiffe" | "wimse" as scheme, "value": str(text)}:
            return any(found.startswith(f"{scheme}://") for found in _origins(text))
        case {"kind": "binding", "issuer_origin": origin, "subject": str(subject)}:
            return origin in _origins(subject)
        case {"kind": "equal", "a": str(one), "b": str(other)}:
            zone = Zone(issuer=HERE)
            return identifier(zone, Identity(issuer=ISSUER, subject=one)) == identifier(zone, Identity(issuer=ISSUER, subject=other))
        case {"kind": "policy"}:
            raise Skipped(Why.NO_FUNCTION)
    raise Skipped(Why.INPUT, "no kind that is known")


def _origins(text: str) -> Iterator[str]:
    """The origin of an identifier; nothing where it is none."""
    try:
        yield parsed(text).origin
    except CredentialMalformed:
        return
