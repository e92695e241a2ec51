"""A name is somebody's alone: whoever is told apart by issuer and subject is told apart in every token."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from cambist import DidNotStart, Identity
from cambist.identifier import identifier, plain
from cambist.settings import APPLICATION_ID, Settings, parse
from cambist.testing import ISSUER
from cambist.zone import Zone

from .drawing import pure

ZONE = Zone(issuer=ISSUER)
ROOT = f"wimse://{ZONE.authority}"

stock = st.sampled_from(
    ("/", "_", "_2f", "_5f", "%2F", "..", ".", "a", "A", "subject", "/subject/", "issuer", "é", "e\u0301", "\u0430", " ", ":")
)
texts = st.lists(stock, min_size=1, max_size=5).map("".join) | st.text(min_size=1, max_size=4)
pairs = st.tuples(texts, texts)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two pairs that are much alike: one is made of the other by what once fooled somebody."""
    issuer, subject = draw(pairs)
    whole = issuer + subject
    cut = draw(st.integers(0, len(whole)))
    other = draw(
        st.sampled_from(
            (
                (whole[:cut], whole[cut:]),
                (subject, issuer),
                (issuer.swapcase(), subject),
                (issuer, subject.swapcase()),
                (issuer.replace("/", "_2f"), subject),
                (issuer, subject.replace("_", "_5f")),
                (issuer + "/", subject),
                (f"{issuer}/subject/{subject}", subject),
                (issuer, f"{subject}."),
            )
        )
    )
    return (issuer, subject), other


def named(pair: tuple[str, str]) -> str:
    return identifier(ZONE, Identity(issuer=pair[0], subject=pair[1]))


@pure
@given(neighbours() | st.tuples(pairs, pairs))
@example((("a", "b/subject/c"), ("a/subject/b", "c")))
@example((("a", ".."), ("a", "_2e_2e")))
def test_two_parties_never_share_a_name(both: tuple[tuple[str, str], tuple[str, str]]) -> None:
    """I3."""
    one, other = both
    assert (named(one) == named(other)) == (one == other)


@pure
@given(pairs, st.from_regex(APPLICATION_ID, fullmatch=True))
def test_nobody_whom_another_issuer_names_is_an_application_of_ours(foreign: tuple[str, str], application: str) -> None:
    assert named(foreign) != named((ISSUER, application)) == f"{ROOT}/application/{application.replace('_', '_5f')}"


@pure
@given(pairs)
def test_a_name_can_be_read_back(pair: tuple[str, str]) -> None:
    root, issuer_, issuer, subject_, subject = named(pair).rsplit("/", 4)
    assert (root, issuer_, subject_) == (ROOT, "issuer", "subject")
    assert (plain(issuer), plain(subject)) == pair


@pure
@given(pairs)
def test_who_comes_back_by_a_token_of_ours_has_the_name_it_had(pair: tuple[str, str]) -> None:
    assert named((ISSUER, named(pair))) == named(pair)


labels = st.sampled_from(("a", "b", "sts", "x.sts.example.test", "sts.example.test", "a.sts.example.test"))


@st.composite
def tables(draw: st.DrawFn) -> dict[str, dict[str, str]]:
    """Zones of which some would, and some would not, share a trust domain."""
    zones: dict[str, dict[str, str]] = {}
    for name in draw(st.lists(st.sampled_from(("a", "b", "sts")), max_size=3, unique=True)):
        zones[name] = draw(st.fixed_dictionaries({}, optional={"trust_domain": labels, "issuer": labels.map("https://{}/".format)}))
    return zones


def opened(zones: dict[str, dict[str, str]]) -> Settings | None:
    try:
        return parse({"issuer": ISSUER, "zones": zones})
    except DidNotStart:
        return None


@pure
@given(tables(), pairs)
def test_one_party_has_another_name_in_each_zone(zones: dict[str, dict[str, str]], pair: tuple[str, str]) -> None:
    """Zones that would give two parties one name are not served at all (TX-43), and nothing else keeps these shut."""
    settings = opened(zones)
    if settings is None:
        assert any(zones.values()), "zones that only have names of their own share no trust domain"
    else:
        names = {identifier(zone, Identity(issuer=pair[0], subject=pair[1])) for zone in settings.zones.values()}
        assert len(names) == len(settings.zones)
