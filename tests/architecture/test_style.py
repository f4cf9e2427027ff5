"""What every file of the project keeps to and no linter checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "jada_orchestrator"

LINES_MAX: Final = 500

LONG_MODULES: Final[dict[str, str]] = {}
"""Modules under src that are longer than that (path from the root of the checkout), and the reason for each."""

TRACKED_FOLDERS: Final = (".ci", "benchmarks", "config", "deploy", "docs", "requirements", "src", "tests", "tools")
"""Where tracked text lives; the files at the root come on top."""

TEXT: Final = frozenset(
    {"", ".cfg", ".conf", ".ini", ".json", ".lock", ".md", ".py", ".service", ".sh", ".sql", ".toml", ".yaml", ".yml"}
)
"""Suffixes of files that are read as text."""

# Put together from pieces, so that this file does not contain what it looks for.
MACHINE_PATH: Final = re.compile(
    r"(?<![\w.\-/])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "home/(?!jada)[a-z]+"]) + r")/"
)
UNFINISHED: Final = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def python_files(folder: Path) -> list[Path]:
    """All modules below a folder."""
    return sorted(folder.rglob("*.py"))


def tracked_texts() -> Iterator[Path]:
    """The text files that belong to the project, in its folders and at its root, without what tools left behind."""
    for folder in TRACKED_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in TEXT and path.name != ".git":
            yield path


def shown(path: Path, line: int) -> str:
    """A place in the form that editors open."""
    return f"{path.relative_to(ROOT)}:{line}"


def lines_with(pattern: re.Pattern[str], paths: Iterator[Path]) -> list[str]:
    """The places where a pattern occurs."""
    return [
        f"{shown(path, number)}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def public(body: list[ast.stmt]) -> Iterator[Documented]:
    """The public classes and functions of a module, and the public methods of its public classes."""
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def undocumented(path: Path) -> Iterator[tuple[int, str]]:
    """The lines and names of a module that lack a docstring; overloads and property setters share their first one's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is None:
        yield 1, "the module"
    for node in public(tree.body):
        exempt = {"overload", "setter", "override"} & {_decorator_name(decorator) for decorator in node.decorator_list}
        if ast.get_docstring(node) is None and not exempt:
            yield node.lineno, node.name


def _decorator_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def test_everything_public_is_documented() -> None:
    """Every module, public class, public function and public method under src has a docstring."""
    files = python_files(SOURCE)
    assert not [f"{shown(path, line)}: {name}" for path in files for line, name in undocumented(path)]


def test_every_test_states_its_claim() -> None:
    """Every test function has a docstring: the sentence that is true when it passes."""
    silent = [
        f"{shown(path, node.lineno)}: {node.name}"
        for path in python_files(ROOT / "tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and ast.get_docstring(node) is None
    ]
    assert not silent


def test_nothing_is_left_unfinished() -> None:
    """No module carries a note that it is not done; what is not done is not there."""
    folders = [ROOT / name for name in ("src", "tests", "tools", "benchmarks", "config", "deploy")]
    assert not lines_with(
        UNFINISHED, (path for path in tracked_texts() if any(path.is_relative_to(f) for f in folders))
    )


def test_modules_stay_short() -> None:
    """No module under src is longer than 500 lines unless it is listed with a reason, and the list is not stale."""
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(SOURCE)
    }
    long = {path for path, length in lengths.items() if length > LINES_MAX}
    assert long == set(LONG_MODULES)
    assert all(LONG_MODULES.values())


@pytest.mark.parametrize("word", ["utils", "util", "helpers", "helper", "common", "misc", "part2"])
def test_modules_are_named_after_concepts(word: str) -> None:
    """No module or package has a name that anything would fit."""
    assert not [path for path in SOURCE.rglob("*") if path.stem == word]


def test_no_path_of_one_machine() -> None:
    """No tracked file contains an absolute path that exists on one machine only."""
    assert not lines_with(MACHINE_PATH, tracked_texts())


def test_the_locks_name_no_server() -> None:
    """Locks hold names, versions and hashes; where packages come from is the matter of each machine's own pip."""
    locks = sorted((ROOT / "requirements").glob("*.lock"))
    assert [lock.stem for lock in locks] == ["build", "checks", "dev", "peers", "postgres", "run", "sandbox"]
    assert not lines_with(re.compile(r"://|--(?:extra-)?index|--find-links|--trusted-host"), iter(locks))


@pytest.mark.parametrize("lock", ["run.lock", "build.lock"])
def test_what_is_shipped_is_what_was_tested(lock: str) -> None:
    """Every pin of the daemon's lock and of the wheel's is a pin of the lock that the tests run on, hashes included."""

    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^ *#.*\n?", "", text))
        return {block.partition("==")[0]: " ".join(block.split()) for block in blocks if block.strip()}

    tested = pins("dev.lock")
    assert {
        name for name, pin in pins(lock).items() if _without_marker(tested.get(name)) != _without_marker(pin)
    } == set()


def _without_marker(pin: str | None) -> str | None:
    """A pin without its environment marker, which may be wider in the lock that has more dependents."""
    return None if pin is None else re.sub(r" ;.*?\\", r" \\", pin)


def test_the_docstring_check_sees_what_is_missing(tmp_path: Path) -> None:
    """A planted module without docstrings is reported for the module, the class, the method and the function."""
    planted = tmp_path / "planted.py"
    planted.write_text("class A:\n    def f(self): ...\n    def _g(self): ...\nasync def h(): ...\ndef _i(): ...\n")
    assert [name for _, name in undocumented(planted)] == ["the module", "A", "f", "h"]


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("see /" + "wo" + "rk/main/x", True),
        ('cwd="/ro' + 'ot/.cache/x"', True),
        ("/home/" + "someone/x", True),
        ("https://example.org/wo" + "rk/x", False),
        ("/var/lib/jada/journal.db", False),
        ("/etc/jada/settings.json", False),
        ("docs/wo" + "rk/x", False),
    ],
)
def test_a_path_of_one_machine_is_seen(text: str, bad: bool) -> None:
    """The pattern finds absolute paths into a person's folders and leaves addresses and system paths alone."""
    assert bool(MACHINE_PATH.search(text)) is bad
