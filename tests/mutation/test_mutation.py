"""The tool that judges tests is judged itself: what it changes, that it changes nothing else, and that it counts rightly."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import ModuleType

import pytest

from mutation.forked import Tell, forked
from mutation.live import Living, Unpatchable
from mutation.mutant import Mutant, changed, mutants
from mutation.tally import Tally
from mutation.trial import ALIVE, KILLED, STILLBORN, UNREACHED

SAMPLE = """
    def may(age: int, name: str = "nobody") -> bool:
        if age < 18:
            raise ValueError("too young, by " + str(18 - age))
        return name in KNOWN and age + 1 > 0

    KNOWN = {"somebody"}

    class Door:
        __slots__ = ("open",)
        wide = True

        def enter(self) -> None:
            self.knock(times=2)

        def knock(self, times: int = 1) -> None:
            self.open = times * 2
"""


def of(source: str) -> list[Mutant]:
    return mutants(textwrap.dedent(source))


def names(source: str) -> list[str]:
    return [mutant.name for mutant in of(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["a <= b", "a >= b"]),
        ("a not in b", ["a in b"]),
        ("a is None", ["a is not None"]),
        ("a and b and c", ["a or b or c", "b and c", "a and c", "a and b"]),
        ("not a", ["a"]),
        ("a + b", ["a - b"]),
        ("b if a else c", ["b if not a else c"]),
        ("any(a)", ["all(a)"]),
        ("math.floor(a)", ["math.ceil(a)"]),
        ("f(a, b=c)", ["f(a)"]),
        ("[a for a in b if a]", ["for a in b"]),
        ("7", ["8"]),
        ("True", ["False"]),
        ("'word'", ["'word?'"]),
        ("b'raw'", ["b'raw?'"]),
    ],
)
def test_every_kind_of_mistake_is_made(source: str, expected: list[str]) -> None:
    told = [name.partition(" -> ")[2] for name in names(f"x[{source}] = None")]
    assert [each for each in expected if each not in told] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise A(b)", "-: raise A(b) -> pass"),
        ("def f():\n    return a", "f: return a -> return None"),
        ("async def f():\n    await a()", "f: await a() -> pass"),
        ("class C:\n    def f(self):\n        self.a = b", "C.f: self.a = b -> self.a = None"),
        ("a += b", "-: a += b -> a -= b"),
        ("if a:\n    b", "-: if a: -> if not a:"),
        ("del a", "-: del a -> pass"),
    ],
)
def test_whole_statements_are_forgotten_or_turned_round(source: str, expected: str) -> None:
    assert expected in names(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is for."""',
        "def f() -> 'Word': pass",
        "a: Literal['word']",
        "@frozen(True)\nclass C: pass",
        "class C(Value, frozen=True): pass",
        "__slots__ = ('a',)",
        "import a",
        "if TYPE_CHECKING:\n    a = f('word')",
        "def f(): return None",
        "x[it.any(a)]: int",
    ],
)
def test_what_is_for_people_and_what_does_not_run_is_left_alone(source: str) -> None:
    assert names(source) == []


def test_what_a_refusal_says_is_left_alone() -> None:
    assert names("raise A('word', seen=1)") == ["-: raise A('word', seen=1) -> pass"]


def test_names_are_unique_and_do_not_move_with_the_lines() -> None:
    told = names(SAMPLE)
    assert len(set(told)) == len(told) > 20
    assert names("\n\n" + SAMPLE) == told
    assert names("a(1, 1)")[-1] == "-: 1 -> 2 (2)"


def test_of_a_long_line_the_name_tells_what_is_changed() -> None:
    arguments = ", ".join(f"argument_{number}={number}0" for number in range(20))
    told = "-: …ment_3=30, argument_4=40, argument_5=50, argument_6=60,… -> …ment_3=30, argument_5=50, argument_6=60,…"
    assert told in names(f"f({arguments})")


def test_every_mutant_is_a_program_and_another_one() -> None:
    source = textwrap.dedent(SAMPLE)
    programs = {ast.unparse(changed(source, mutant)) for mutant in of(SAMPLE)}
    assert len(programs) == len(of(SAMPLE))
    assert ast.unparse(ast.parse(source)) not in programs
    for program in programs:
        compile(program, "sample", "exec")


def lived(source: str) -> tuple[ModuleType, Living]:
    module = ModuleType("sample")
    exec(compile(source, "/nowhere/sample.py", "exec", dont_inherit=True), module.__dict__)
    return module, Living(source, "/nowhere/sample.py")


def test_a_living_function_gets_the_changed_code_wherever_it_is_held() -> None:
    module, living = lived(textwrap.dedent(SAMPLE))
    held = module.may
    (mutant,) = [each for each in of(SAMPLE) if each.name == "may: age < 18 -> age <= 18"]
    assert held(18, "somebody") is True
    living.patch(mutant)
    with pytest.raises(ValueError, match="by 0"):
        held(18, "somebody")


def test_what_no_living_function_holds_is_left_to_an_import() -> None:
    _, living = lived(textwrap.dedent(SAMPLE))
    for mutant in of(SAMPLE):
        if mutant.function is None:
            with pytest.raises(Unpatchable):
                living.patch(mutant)


def test_a_child_tells_and_what_it_changed_is_its_own() -> None:
    kept = [1]

    def work(tell: Tell) -> None:
        kept.append(2)
        tell(kept)

    assert forked(work, limit=30) == [1, 2]
    assert kept == [1]


def test_a_child_that_hangs_ends_with_everything_that_it_started(tmp_path: Path) -> None:
    told = tmp_path / "pid"

    def work(_: Tell) -> None:
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        told.with_suffix(".new").write_text(str(sleeper.pid))
        told.with_suffix(".new").rename(told)
        time.sleep(600)

    assert forked(work, limit=5) is None
    deadline = time.monotonic() + 30
    while _runs(int(told.read_text())):
        assert time.monotonic() < deadline, "it outlived its parent"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """A process that ended, and that nobody has asked how, is a zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def tally(outcomes: dict[str, str], equivalent: dict[str, str] | None = None) -> Tally:
    told = Tally("sample", equivalent or {}, partial=False)
    for name, outcome in outcomes.items():
        told.judge(name, outcome, "")
    return told


def test_what_is_alive_is_counted_but_not_what_is_no_program_nor_what_is_known_to_be_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    told = tally({"a": KILLED, "b": ALIVE, "c": UNREACHED, "d": STILLBORN, "e": ALIVE}, {"e": "it is the same"})
    assert told.close() is False
    assert capsys.readouterr().out.splitlines() == ["  alive: b", "  alive: c", "sample: 4 mutants, 1 killed, 2 alive (67%), 1 equivalent"]


def test_one_in_seven_may_live() -> None:
    assert tally({"a": ALIVE, **{str(number): KILLED for number in range(6)}}).close() is True
    assert tally({"a": ALIVE, **{str(number): KILLED for number in range(5)}}).close() is False


def test_what_is_said_to_be_the_same_must_exist_and_live() -> None:
    assert tally({"a": KILLED}, {"a": "it is the same"}).wrong() == ["said to be equivalent, and killed: a"]
    assert tally({"a": KILLED}, {"b": "it is the same"}).wrong() == ["there is no such mutant any more: b"]


def test_a_module_is_tried_from_end_to_end_and_its_file_stays_as_it_is(tmp_path: Path) -> None:
    source = "LIMIT = 3\n\n\ndef fits(size):\n    return size < LIMIT\n\n\ndef unasked():\n    return 1\n"
    (tmp_path / "sample.py").write_text(source)
    tests = "from sample import fits\n\n\ndef test_two_fits_and_three_does_not():\n    assert fits(2) and not fits(3)\n"
    (tmp_path / "test_sample.py").write_text(tests)
    (tmp_path / "modules.toml").write_text(f'[sample]\ntests = ["{tmp_path / "test_sample.py"}"]\n')
    (tmp_path / "equivalent.toml").write_text("")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parent.parent)])
    command = [sys.executable, "-m", "mutation", "sample", "--tables", str(tmp_path)]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[-3:] == [
        "  alive: unasked: return 1 -> return None",
        "  alive: unasked: 1 -> 2",
        "sample: 6 mutants, 4 killed, 2 alive (33%), 0 equivalent",
    ], ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert (tmp_path / "sample.py").read_text() == source
