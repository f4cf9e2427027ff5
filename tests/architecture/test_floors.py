"""The arrows between the packages, and that the checker which guards them sees what it has to see."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.architecture.floors import FLOORS, breaches

SOURCE: Final = Path(__file__).parents[2] / "src" / "jada_orchestrator"


def planted(root: Path, file: str, text: str) -> list[str]:
    """The breaches of a tree that consists of one file, as sentences."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [str(breach) for breach in breaches(root)]


def test_every_import_goes_down() -> None:
    """No module of the package imports what its floor may not (ARCHITECTURE.md, "Floors")."""
    found = breaches(SOURCE)
    assert not found, "\n".join(["arrows that the floors do not allow:", *map(str, found)])


def test_the_table_has_no_cycle() -> None:
    """Floors can be put on top of each other: no floor reaches itself through what it may import."""

    def reached(floor: str) -> set[str]:
        below = FLOORS[floor].below
        return set(below).union(*(reached(name) for name in below))

    assert not [floor for floor in FLOORS if floor in reached(floor)]


@pytest.mark.parametrize(
    ("file", "text", "part"),
    [
        ("domain/a.py", "from jada_orchestrator.engine import decide", "imports engine"),
        ("domain/a.py", "import jada_orchestrator.ports.store", "imports ports"),
        ("domain/a.py", "from jada_orchestrator import engine", "imports engine"),
        ("domain/a.py", "from ..engine import decide", "imports engine"),
        ("domain/__init__.py", "from .. import engine", "imports engine"),
        ("domain/deep/a.py", "from ...planning.compiler import compile_plan", "imports planning"),
        ("domain/a.py", "def f():\n    from jada_orchestrator.engine import decide", "a:2: imports engine"),
        ("domain/a.py", "if TYPE_CHECKING:\n    from jada_orchestrator.engine import x", "a:2: imports engine"),
        ("domain/a.py", "import pydantic", "may import msgspec"),
        ("planning/a.py", "import jsonschema", "may import jmespath, jsonschema_rs, msgspec"),
        ("capacity/a.py", "from jada_orchestrator.engine import x", "imports engine"),
        ("engine/a.py", "from jada_orchestrator.capacity import x", "imports capacity"),
        ("ports/a.py", "from jada_orchestrator.engine import x", "imports engine"),
        ("ports/a.py", "import anthropic", "imports anthropic"),
        ("runtime/a.py", "from jada_orchestrator.adapters.aws import x", "imports adapters"),
        ("runtime/a.py", "import aiobotocore", "imports aiobotocore"),
        ("adapters/aws/a.py", "from jada_orchestrator.runtime import x", "imports runtime"),
        ("adapters/aws/a.py", "from jada_orchestrator.adapters.claude import x", "never imports a sibling"),
        ("adapters/aws/a.py", "from jada_orchestrator.adapters import claude", "never imports a sibling"),
        ("adapters/aws/a.py", "from ..claude import x", "never imports a sibling"),
        ("adapters/aws/a.py", "from .. import claude", "never imports a sibling"),
        ("adapters/__init__.py", "from jada_orchestrator.adapters.aws import x", "never imports a sibling"),
        ("adapters/aws/a.py", 'import_module("jada_orchestrator.service.wiring")', "imports service"),
        ("adapters/aws/a.py", "from jada_orchestrator.mystery import x", "name the module"),
        ("service/a.py", "from jada_orchestrator.cli import x", "imports cli"),
        ("service/a.py", "from jada_orchestrator.sandbox import x", "imports sandbox"),
        ("service/a.py", "def f():\n    import jada_orchestrator.testing", "forbidden to production code"),
        ("cli/simulate.py", "from jada_orchestrator.testing import x", "forbidden to production code"),
        ("cli/run.py", "def f():\n    from jada_orchestrator.testing import x", "forbidden to production code"),
        ("cli/run.py", "from jada_orchestrator.adapters.journal import x", "imports adapters"),
        ("agent/a.py", "from jada_orchestrator.domain import ids", "no other floor"),
        ("agent/a.py", "from jada_orchestrator import __version__", "name the module"),
        ("agent/a.py", "import pydantic", "imports pydantic"),
        ("agent/a.py", "import aiobotocore.session", "only inside a function"),
        ("testing/a.py", "from jada_orchestrator.cli import x", "imports cli"),
        ("testing/a.py", "import pytest", "for development only"),
        ("service/a.py", "from unittest import mock", "for development only"),
        ("mystery/a.py", "", "is no floor"),
    ],
)
def test_a_forbidden_arrow_is_seen(tmp_path: Path, file: str, text: str, part: str) -> None:
    """Each kind of forbidden import, planted alone, is one breach that says what is wrong."""
    (breach,) = planted(tmp_path, file, text)
    assert part in breach


@pytest.mark.parametrize("floor", sorted(name for name, floor in FLOORS.items() if floor.pure))
@pytest.mark.parametrize(
    "text",
    [
        "import asyncio",
        "import os.path",
        "import time as t",
        "from random import Random",
        "import logging",
        "import socket",
        "from secrets import token_hex",
        "import urllib.request",
        "import structlog",
        "import anthropic",
        "def f():\n    import time",
        "if TYPE_CHECKING:\n    import asyncio",
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import datetime\nx = datetime.now(UTC)",
        "from datetime import date\nx = date.today()",
        "import uuid\nx = uuid.uuid4()",
        "from uuid import uuid4\nx = uuid4()",
        'with open("x") as file: pass',
        'print("here")',
    ],
)
def test_a_pure_floor_can_neither_wait_nor_look(tmp_path: Path, floor: str, text: str) -> None:
    """Clocks, dice, files, loops, logs and SDKs are seen in each pure floor, wherever in the module they stand."""
    (breach,) = planted(tmp_path, f"{floor}/a.py", text)
    assert f"{floor}.a:" in breach


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("domain/a.py", "import hashlib, json, uuid\nfrom datetime import UTC, datetime\nx = uuid.UUID(int=1)"),
        (
            "domain/a.py",
            "from jada_orchestrator.domain.ids import TaskId\nfrom .ids import RequestId\nfrom . import ids",
        ),
        ("planning/a.py", "import jmespath\nimport jsonschema_rs\nfrom jada_orchestrator.domain import plan"),
        ("engine/a.py", "from jada_orchestrator.planning.references import evaluate"),
        ("ports/a.py", "import asyncio"),
        ("runtime/a.py", "import asyncio, time\nimport structlog\nfrom jada_orchestrator.engine import decide"),
        (
            "adapters/aws/a.py",
            "from jada_orchestrator.adapters.aws.queues import x\nfrom .queues import y\nimport aiobotocore",
        ),
        ("service/a.py", "from jada_orchestrator.adapters import aws\nfrom jada_orchestrator import __version__"),
        ("cli/simulate.py", "def f():\n    from jada_orchestrator.testing import simulator"),
        ("agent/a.py", "import asyncio, os\nimport fastjsonschema\ndef f():\n    import aiobotocore.session"),
        ("sandbox/a.py", "from jada_orchestrator.agent import Agent\nimport aiohttp"),
        ("testing/a.py", "from jada_orchestrator.runtime import turn"),
        ("__main__.py", "from jada_orchestrator.cli.main import main"),
    ],
)
def test_an_allowed_arrow_passes(tmp_path: Path, file: str, text: str) -> None:
    """The checker cries only where there is something to cry about."""
    assert planted(tmp_path, file, text) == []
