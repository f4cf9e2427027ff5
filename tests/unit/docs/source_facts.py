"""What the documents speak of, read from the source with `ast`: nothing is run and nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
SOURCE: Final = ROOT / "src" / "jada_orchestrator"
DOCS: Final = ROOT / "docs"

CODE: Final = re.compile(r"\A[A-Z][A-Z0-9]+(_[A-Z0-9]+)*\Z")
"""How a code is written: capitals, digits and underscores, one word or several."""
_WORDS: Final = re.compile(r"\A[A-Z][A-Z0-9]+(_[A-Z0-9]+)+\Z")
EVENT: Final = re.compile(r"\A[a-z_]+\.[a-z_]+\Z")
LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical"})

_MAKERS: Final = frozenset(
    {
        "AgentError",
        "Failure",
        "Fault",
        "Row",
        "Trouble",
        "Verdict",
        "_refused",
        "add",
        "failed",
        "fault",
        "note",
        "told_by_agent",
        "unusable",
    }
)
"""Calls that are given a code among their first arguments."""
_NOT_CODES: Final = frozenset({"GET", "POST", "PUT", "USD", "EUR", "GBP"})

Place = tuple[str, int]


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Every module under src but those of `testing` and `bench`, by its path from the root of the checkout."""
    paths = [(path.relative_to(ROOT).as_posix(), path) for path in sorted(SOURCE.rglob("*.py"))]
    return tuple(
        (name, ast.parse(path.read_text(encoding="utf-8"), filename=name))
        for name, path in paths
        if "/testing/" not in name and "/bench/" not in name
    )


def called(node: ast.Call) -> str:
    """The last name of what is called: `emit` for `self._world.log.emit(...)`."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def texts(nodes: list[ast.expr]) -> Iterator[str]:
    """The string constants among some expressions, also in both arms of a conditional one."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.IfExp):
            yield from texts([node.body, node.orelse])


@cache
def codes() -> dict[str, Place]:
    """Every code that a failure, a fault, a warning or a reply of ours can carry, with one place where it stands."""
    found: dict[str, Place] = {}
    for name, tree in modules():
        for node in ast.walk(tree):
            for text in _codes_at(node):
                if CODE.match(text) and text not in _NOT_CODES:
                    found.setdefault(text, (name, getattr(node, "lineno", 1)))
    return found


def _codes_at(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call() if called(node) in _MAKERS:
            yield from texts(node.args[:3])
            yield from texts([keyword.value for keyword in node.keywords if keyword.arg == "code"])
        case ast.keyword(arg="code", value=ast.Constant(value=str(text))):
            yield text
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))) if name == text:
            yield text
        case ast.Tuple(elts=[ast.Constant(value=str(code)), ast.Constant(value=str(kind)), ast.Constant()]) if kind in {
            "wait",
            "stopped",
            "bad_answer",
            "permanent",
        }:
            yield code
        case ast.Dict():
            pairs = list(zip(node.keys, node.values, strict=True))
            if any(isinstance(key, ast.Constant) and key.value == "code" for key, _ in pairs):
                yield from texts(
                    [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "code"]
                )
        case _:
            return


@cache
def capitals() -> dict[str, Place]:
    """Every string of several words in capitals: a code (`SOLD_OUT`), a variable (`JADA_STORE`), or a name of ours."""
    found: dict[str, Place] = {}
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _WORDS.match(node.value):
                found.setdefault(node.value, (name, node.lineno))
    return found


@cache
def log_events() -> dict[str, tuple[str, Place]]:
    """Every log event with its level (`*` where it is computed): of `emit(level, event, ...)`, and of story lines."""
    found: dict[str, tuple[str, Place]] = {}
    for name, tree in modules():
        for node in ast.walk(tree):
            match node:
                case ast.Call(args=[level, event, *_]) if called(node) == "emit":
                    for text in _event_names(event):
                        said = level.value if isinstance(level, ast.Constant) else "*"
                        found.setdefault(text, (str(said), (name, node.lineno)))
                case ast.Tuple(elts=[ast.Constant(value=str(said)), ast.Constant(value=str(text)), _]) if (
                    said in LEVELS and EVENT.match(text)
                ):
                    found.setdefault(text, (said, (name, node.lineno)))
                case _:
                    pass
    return found


def _event_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):  # daemon.{ended.value}
        first = node.values[0]
        if isinstance(first, ast.Constant) and first.value == "daemon.":
            yield from ("daemon.drained", "daemon.parked")
    else:
        yield from (text for text in texts([node]) if EVENT.match(text))


@cache
def error_classes() -> dict[str, Place]:
    """Every public exception class that is defined under src, directly or through another of ours."""
    bases: dict[str, tuple[list[str], Place]] = {}
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                parents = [base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases]
                bases[node.name] = (parents, (name, node.lineno))

    def is_error(name: str) -> bool:
        if name in {"Exception", "ValueError", "RuntimeError", "BaseException"}:
            return True
        return any(is_error(parent) for parent in bases.get(name, ([], ("", 0)))[0])

    return {name: place for name, (_, place) in bases.items() if not name.startswith("_") and is_error(name)}


@cache
def names_of_tests() -> dict[str, set[str]]:
    """The test functions of every test file, by its path from the root of the checkout."""
    return {
        path.relative_to(ROOT).as_posix(): {
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        }
        for path in sorted((ROOT / "tests").rglob("*.py"))
    }


def documents() -> list[Path]:
    """Every Markdown document of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def rows(path: Path, heading: str | None = None) -> list[list[str]]:
    """The cells of the rows of every table in a document, or of those below one heading; head and rule left out."""
    found: list[list[str]] = []
    inside = heading is None
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("#") and heading is not None:
            inside = line.lstrip("# ").strip() == heading
        if not inside or not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if number + 1 < len(lines) and lines[number + 1].startswith("|") and set(lines[number + 1]) <= set("|-: "):
            continue  # the head
        found.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def shown(place: Place) -> str:
    """A place in the form that editors open."""
    return f"{place[0]}:{place[1]}"
