"""The floors of ARCHITECTURE.md as a table, and the checker that reads every import of a source tree against it.

Imports are found with `ast`: nothing is executed, and imports inside functions and under `TYPE_CHECKING` count as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = "jada_orchestrator"

PURE_FORBIDDEN: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "http",
        "importlib",
        "logging",
        "multiprocessing",
        "os",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
    }
)
"""Modules of the standard library with which a pure floor could wait, look at the world or throw dice (law 2)."""

PURE_FORBIDDEN_CALLS: Final = frozenset(
    {
        "date.today",
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "input",
        "open",
        "print",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid.uuid6",
        "uuid.uuid7",
        "uuid1",
        "uuid4",
        "uuid6",
        "uuid7",
    }
)
"""Calls by their last two names: clocks, dice and files that come with modules which are otherwise harmless."""

DEVELOPMENT_ONLY: Final = frozenset({"hypothesis", "moto", "mypy", "pytest", "ruff", "unittest", "xdist"})
"""What a user of the wheel does not have, or what stands for a real thing: no module under src imports it."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What the modules of one floor may import.

    `third_party` of None means any distribution that is not for development only. `lazy` are distributions that may be
    imported inside a function only.
    """

    below: frozenset[str] = frozenset()
    third_party: frozenset[str] | None = frozenset()
    lazy: frozenset[str] = frozenset()
    pure: bool = False


_CORE: Final = frozenset({"domain", "planning", "engine", "capacity"})
_TOWER: Final = _CORE | {"wire", "ports", "runtime", "adapters"}

FLOORS: Final[dict[str, Floor]] = {
    "domain": Floor(third_party=frozenset({"msgspec"}), pure=True),
    "wire": Floor(
        below=frozenset({"ports", "domain"}),
        third_party=frozenset({"msgspec", "pydantic", "pydantic_core"}),
    ),
    "planning": Floor(
        below=frozenset({"domain"}),
        third_party=frozenset({"jmespath", "jsonschema_rs", "msgspec"}),
        pure=True,
    ),
    "capacity": Floor(below=frozenset({"domain"}), third_party=frozenset({"msgspec"}), pure=True),
    "engine": Floor(below=frozenset({"planning", "domain"}), third_party=frozenset({"msgspec"}), pure=True),
    "ports": Floor(below=frozenset({"domain"}), third_party=frozenset({"msgspec"})),
    "runtime": Floor(
        below=frozenset({"ports", "engine", "capacity", "domain"}),
        third_party=frozenset({"msgspec", "structlog"}),
    ),
    "adapters": Floor(below=frozenset({"ports", "wire", "domain"}), third_party=None),
    "service": Floor(below=_TOWER, third_party=None),
    # Beside the tower.
    "cli": Floor(
        below=frozenset({"service", "sandbox", "ports", "wire"})
        | _CORE,  # the pure floors: the story of `why`, dry runs of `plan`
        third_party=None,
    ),
    "agent": Floor(  # packed into Lambda functions: light at import; a queue worker's client is loaded when it starts
        third_party=frozenset({"fastjsonschema"}),
        lazy=frozenset({"aiobotocore", "boto3", "botocore", "uvloop"}),
    ),
    "sandbox": Floor(below=frozenset({"agent", "service", "ports", "wire", "domain"}), third_party=None),
    "testing": Floor(below=frozenset({"agent", "ports", "wire", "runtime"}) | _CORE, third_party=None),
    "bench": Floor(below=_TOWER | {"service", "testing"}, third_party=None),  # wires the real runtime to null agents
    # The package itself: `__init__.py` imports nothing, `__main__.py` starts the commands.
    "__init__": Floor(),
    "__main__": Floor(below=frozenset({"cli"})),
}

LAZY_USERS_OF_TESTING: Final = frozenset({"cli.simulate"})
"""Modules that may import `testing`, and only inside a function: production code never loads fakes."""

LAZY_USERS_OF_BENCH: Final = frozenset({"cli.benchmarking"})
"""The same for `bench`, which itself stands on `testing`."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one name: the absolute dotted name, its line, and whether it stands inside a function."""

    target: str
    line: int
    lazy: bool


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """One arrow or call that the table does not allow."""

    module: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Says where and why, in the form `engine.decide:12: imports asyncio, ...`."""
        return f"{self.module}:{self.line}: {self.reason}"


def breaches(root: Path) -> list[Breach]:
    """All breaches of the modules below `root`, the folder of the package, sorted by module and line."""
    found: list[Breach] = []
    for path in sorted(root.rglob("*.py")):
        module = module_name(root, path)
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        found += check_module(module, tree, is_package=path.name == "__init__.py")
    return sorted(found)


def module_name(root: Path, path: Path) -> str:
    """The dotted name inside the package: `engine.decide`, `engine` for its `__init__.py`, `__init__` at the root."""
    parts = path.relative_to(root).with_suffix("").parts
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def check_module(module: str, tree: ast.Module, *, is_package: bool) -> Iterator[Breach]:
    """The breaches of one module."""
    floor_name = module.partition(".")[0]
    floor = FLOORS.get(floor_name)
    if floor is None:
        yield Breach(module, 1, f"`{floor_name}` is no floor; the table in tests/architecture/floors.py has to know it")
        return
    for found in imports(tree, module, is_package=is_package):
        reason = judge(module, floor_name, floor, found)
        if reason is not None:
            yield Breach(module, found.line, reason)
    if floor.pure:
        for call in forbidden_calls(tree):
            yield Breach(module, call.lineno, f"calls {dotted(call.func)}, which a pure floor may not (law 2)")


def judge(module: str, floor_name: str, floor: Floor, found: Import) -> str | None:
    """Why the import is not allowed, or None when it is."""
    top, _, rest = found.target.partition(".")
    if top == PACKAGE:
        return _judge_inside(module, floor_name, floor, rest, found)
    if top in DEVELOPMENT_ONLY:
        return f"imports {top}, which is for development only"
    if top in sys.stdlib_module_names:
        forbidden = floor.pure and (top in PURE_FORBIDDEN or found.target.startswith("urllib.request"))
        return f"imports {found.target}, which a pure floor may not (law 2)" if forbidden else None
    if floor.third_party is None or top in floor.third_party or (found.lazy and top in floor.lazy):
        return None
    if top in floor.lazy:
        return f"imports {top} when it is loaded; {floor_name} may do so only inside a function"
    return (
        f"imports {top}; {floor_name} may import {', '.join(sorted(floor.third_party)) or 'the standard library only'}"
    )


def _judge_inside(module: str, floor_name: str, floor: Floor, rest: str, found: Import) -> str | None:
    """The same for imports of the package's own modules; `rest` is the name below the package."""
    target = rest.partition(".")[0]
    if target == "__version__" and floor_name != "agent":
        return None
    if target not in FLOORS:
        return f"imports {found.target}: name the module, so that its floor is seen"
    if target == "testing" and floor_name not in {"testing", "bench"}:
        if module in LAZY_USERS_OF_TESTING and found.lazy:
            return None
        return "imports testing, which is forbidden to production code"
    if target == "bench" and floor_name != "bench":
        if module in LAZY_USERS_OF_BENCH and found.lazy:
            return None
        return "imports bench, which is forbidden to production code"
    if target == floor_name:
        return _judge_sibling(module, floor_name, rest)
    if target in floor.below:
        return None
    return f"imports {target}; {floor_name} may import {', '.join(sorted(floor.below)) or 'no other floor'}"


def _judge_sibling(module: str, floor_name: str, rest: str) -> str | None:
    """Adapters stay apart: `adapters.claude` may import `adapters.claude.*` only."""
    if floor_name != "adapters":
        return None
    own, other = adapter_of(module), adapter_of(rest)
    if other == own and own:
        return None
    return f"imports {rest}; an adapter never imports a sibling, the service wires them"


def adapter_of(module: str) -> str:
    """`claude` for `adapters.claude.stream`; empty for `adapters` itself."""
    return module.split(".")[1] if "." in module else ""


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[Import]:
    """Every import of a module wherever it stands, relative ones and literal `import_module("...")` resolved."""
    yield from _imports_below(tree, module.split("."), is_package=is_package, lazy=False)


def _imports_below(node: ast.AST, own: list[str], *, is_package: bool, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, lazy)
        elif isinstance(child, ast.ImportFrom):
            base = _resolved(child, own, is_package=is_package)
            names = [f"{base}.{alias.name}" for alias in child.names] if base_is_bare(base) else [base]
            for name in names:
                yield Import(name, child.lineno, lazy)
        elif isinstance(child, ast.Call) and _is_dynamic_import(child):
            yield Import(str(ast.literal_eval(child.args[0])), child.lineno, lazy)
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports_below(child, own, is_package=is_package, lazy=inside)


def base_is_bare(base: str) -> bool:
    """Whether what counts is in the imported names: `from jada_orchestrator import engine`, `from .. import aws`."""
    return base in {PACKAGE, f"{PACKAGE}.adapters"}


def _resolved(node: ast.ImportFrom, own: list[str], *, is_package: bool) -> str:
    """The absolute name that `from X import ...` starts from."""
    if node.level == 0:
        return node.module or ""
    package = [PACKAGE, *own] if is_package else [PACKAGE, *own[:-1]]
    kept = package[: len(package) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _is_dynamic_import(call: ast.Call) -> bool:
    named = dotted(call.func) in {"importlib.import_module", "import_module", "__import__"}
    return named and bool(call.args) and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)


def forbidden_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls of clocks, dice and files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func) in PURE_FORBIDDEN_CALLS:
            yield node


def dotted(node: ast.expr) -> str:
    """The last two names of what is called: `datetime.now` for `datetime.datetime.now`, `open` for `open`, or empty."""
    match node:
        case ast.Name(id=name):
            return name
        case (
            ast.Attribute(value=ast.Name(id=owner), attr=name)
            | ast.Attribute(value=ast.Attribute(attr=owner), attr=name)
        ):
            return f"{owner}.{name}"
        case _:
            return ""
