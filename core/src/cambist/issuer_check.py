"""Looks at an issuer as it is now: where its keys are by its own word, what keys they are, and what its clock says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import perf_counter

from .check import Check, Trust, differing, words
from .errors import Expired, KeyUnknown, NotYetValid, Unavailable
from .jwk import KeySet
from .jwks import FileKeys, InlineKeys, RemoteKeys
from .verified import Expected

ALIKE = 2.0
"""A `Date` is of whole seconds, and takes a while to arrive: clocks that differ by no more agree, in seconds."""
PATIENCE = "Tokens whose keys are not known are refused as temporarily_unavailable until it answers."
AUTHORITIES = "Name the certificate that vouches for it in `egress.authorities`, or in `egress.ca_file`."


@dataclass(frozen=True, slots=True)
class Published:
    """The keys of an issuer of whose tokens this is expected, wherever they are."""

    expected: Expected

    async def look(self) -> Sequence[Check]:
        match self.expected.keys:
            case InlineKeys() as stated:
                return list(_usable(stated.read(), self.expected, "in the settings"))
            case FileKeys() as file:
                return list(self._in_file(file))
            case RemoteKeys() as remote:
                return [check async for check in self._fetched(remote)]
        return [Check.noted("keys", "of a kind that cannot be looked at")]

    def _in_file(self, file: FileKeys) -> Iterator[Check]:
        try:
            keys = file.read()
        except Unavailable as error:
            yield Check.refused("keys", error)
            return
        if file.trouble is not None:
            yield Check.refused("keys", Unavailable(what=f"key file {file.path}", cause=file.trouble))
        yield from _usable(keys, self.expected, f"in {file.path}")

    async def _fetched(self, remote: RemoteKeys) -> AsyncIterator[Check]:
        begun = perf_counter()
        try:
            url = await remote.located()
        except Unavailable as error:
            yield unreachable("discovery", error, remote.issuer)
            return
        if remote.url is None:
            yield Check.passed("discovery", f"names this issuer, and {url} for its keys ({_since(begun)})")
        begun = perf_counter()
        try:
            document = await remote.document(url)
            keys = remote.read(document)
        except Unavailable as error:
            yield unreachable("keys", error, remote.issuer)
            return
        where = f"at {url} ({_since(begun)}), fetched anew after {remote.fresh(document):g} s"
        for check in (*_usable(keys, self.expected, where), *_undeclared(document.value, keys), *self._clock(document.headers, remote)):
            yield check

    def _clock(self, headers: Mapping[str, str], remote: RemoteKeys) -> Iterator[Check]:
        """A cache on the way hands on the `Date` of long ago, and says in `Age` how long (RFC 9111 section 5.1)."""
        try:
            date = parsedate_to_datetime(headers["date"]).timestamp() + float(headers.get("age", 0))
        except (KeyError, ValueError):
            yield Check.noted("clock", "it does not tell the time, in no Date header")
            return
        yield clocks(date - remote.clock(), self.expected.leeway)


def clocks(ahead: float, leeway: float) -> Check:
    """What it means that an issuer's clock is so many seconds ahead of ours, or behind it where that is less than nothing."""
    seconds = round(abs(ahead))
    if abs(ahead) <= ALIKE:
        return Check.passed("clock", "agrees with ours")
    if ahead > leeway:
        wait = seconds - leeway
        said = f"{seconds} s ahead of ours, and the leeway is {leeway:g} s: new tokens are not valid here for {wait:g} s (nbf, iat)"
        return Check.refused("clock", NotYetValid(), said, "Set the clock that is wrong; both should follow NTP.")
    if ahead > 0:
        return Check.passed("clock", f"{seconds} s ahead of ours, within the leeway of {leeway:g} s")
    said = f"{seconds} s behind ours: its tokens end so much earlier here (exp), and after their end there is no leeway"
    if -ahead > leeway:
        return Check.refused("clock", Expired(), said, "Set the clock that is wrong; both should follow NTP.")
    return Check.noted("clock", said)


def trusts(expected: Mapping[str, Expected]) -> Sequence[Trust]:
    """Issuers that are trusted by their keys alone."""
    return [Trust(issuer=issuer, sources=(Published(wanted),)) for issuer, wanted in expected.items()]


def unreachable(name: str, error: Unavailable, issuer: str) -> Check:
    """A source that gives no sound answer."""
    named, hint = error.facts.get("named"), ""
    said = words(error) + (f", {named!r}{differing(issuer, named)}" if named is not None else "")
    if named is not None:
        hint = "Write `issuer` in the settings as the document has it, letter by letter, if that is the issuer that is meant."
    elif "certificate" in str(error.facts.get("detail", "")):
        hint = AUTHORITIES
    return Check.refused(name, error, said, hint or PATIENCE)


def _usable(keys: KeySet, expected: Expected, where: str) -> Iterator[Check]:
    fitting = [key for key in keys.keys if key.algorithms & expected.algorithms]
    listed = ", ".join(f"{'/'.join(sorted(key.algorithms))} {key.kid or 'without kid'}" for key in keys.keys)
    if not keys.keys:
        yield Check.refused("keys", KeyUnknown(), f"there is no usable key {where}", "Ask the issuer to publish its signing keys.")
    elif not fitting:
        said = f"no key is for an algorithm that is allowed for this issuer: {listed}, {where}"
        allowed = ", ".join(sorted(expected.algorithms))
        yield Check.refused("keys", KeyUnknown(), said, f"`algorithms` in its entry allows {allowed}.")
    else:
        yield Check.passed("keys", f"{len(keys.keys)} usable: {listed}; {where}")
    for reason in keys.dropped:
        yield Check.noted("keys", f"not used: {reason}")


def _undeclared(document: Mapping[str, object], keys: KeySet) -> Iterator[Check]:
    """An RSA key can be for six algorithms, and is used for one (RFC 8725bis section 3.1)."""
    entries = document["keys"]
    assert isinstance(entries, list)  # noqa: S101 - it was read as a key set already
    silent = {entry.get("kid") for entry in entries if isinstance(entry, dict) and entry.get("kty") == "RSA" and "alg" not in entry}
    for key in keys.keys:
        if key.kid in silent:
            said = f"{key.kid or 'a key without kid'} lacks alg, and is taken for {'/'.join(sorted(key.algorithms))}"
            yield Check.noted("keys", said, "If its tokens are signed otherwise, list that algorithm alone in `algorithms`.")


def _since(begun: float) -> str:
    return f"{(perf_counter() - begun) * 1000:.0f} ms"
