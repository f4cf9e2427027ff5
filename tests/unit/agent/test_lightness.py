"""The kit is packed into functions: what it imports is counted in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# What `site` loads at start-up (editable installs, namespace packages) is not the kit's doing, so it is taken off.
_PROGRAM = """
import json, sys
before = set(sys.modules)
{code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
_DEFINE = """
from jada_orchestrator.agent import Agent
app = Agent("toy", idempotency=None)
@app.action("toy.echo"{schema})
def echo(task):
    return task.input
"""
_CALL = 'assert app.call("toy.echo", {})["status"] == "succeeded"'
_HEAVY = (
    "asyncio",
    "sqlite3",
    "ssl",
    "http",
    "urllib.request",
    "logging",
    "ctypes",
    "multiprocessing",
    "email",
    "unittest",
)


def modules_after(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after running the code, beyond those at its start."""
    program = _PROGRAM.format(code=code)
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(json.loads(run.stdout))


def roots_outside_the_standard_library(modules: set[str]) -> set[str]:
    """The top-level packages among the modules that Python itself does not bring."""
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names


def test_a_call_without_schemas_needs_the_standard_library_alone() -> None:
    """Of this package only the kit is loaded, and nothing that somebody else wrote."""
    modules = modules_after(_DEFINE.format(schema="") + _CALL)
    assert roots_outside_the_standard_library(modules) == {"jada_orchestrator"}
    ours = {name for name in modules if name.startswith("jada_orchestrator.")}
    assert all(name == "jada_orchestrator.agent" or name.startswith("jada_orchestrator.agent.") for name in ours), ours


def test_a_call_with_schemas_adds_the_schema_library_alone() -> None:
    """Checking a schema loads fastjsonschema and nothing else from outside."""
    modules = modules_after(_DEFINE.format(schema=', input={"type": "object"}') + _CALL)
    assert roots_outside_the_standard_library(modules) == {"jada_orchestrator", "fastjsonschema"}


def test_declaring_a_schema_loads_no_checker() -> None:
    """A cold start pays for a schema only when it is first checked."""
    modules = modules_after(_DEFINE.format(schema=', input={"type": "object"}'))
    assert "fastjsonschema" not in modules


@pytest.mark.parametrize("heavy", _HEAVY)
def test_a_cold_start_loads_nothing_heavy(heavy: str, cold_start: set[str]) -> None:
    """A plain function's cold start does without event loop, database, TLS and HTTP."""
    assert heavy not in cold_start


@pytest.fixture(scope="module")
def cold_start() -> set[str]:
    """The modules of a function that was defined and called once."""
    return modules_after(_DEFINE.format(schema="") + _CALL)


def test_a_cold_start_is_small() -> None:
    """Fewer than a hundred modules: a bound that a thoughtless import breaks at once, whatever the machine's speed."""
    assert len(modules_after(_DEFINE.format(schema="") + _CALL)) < 100
