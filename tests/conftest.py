"""What every test shares: reproducible properties, and how the files are spread over the workers of `pytest -n`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from jada_orchestrator.testing.postgres_server import PostgresServer

TESTS: Final = Path(__file__).parent

ONE_AT_A_TIME: Final = frozenset({"system"})
"""Folders whose tests start whole daemons: all of them run in one worker, one after another."""

SLOW_FIRST: Final = ("system", "integration", "simulation", "conformance", "properties")
"""Folders in the order in which they are handed out, so that the longest do not begin last."""

hypothesis.settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # by the clock: it fails where the machine is busy
)
"""The same examples in every run: a failure means that the change broke something."""

hypothesis.settings.register_profile(
    "explore", max_examples=2_000, deadline=None, print_blob=True, suppress_health_check=list(hypothesis.HealthCheck)
)
"""New examples in every run, many of them: `JADA_HYPOTHESIS=explore make test`."""

hypothesis.settings.load_profile(os.environ.get("JADA_HYPOTHESIS", "fixed"))


def pytest_configure() -> None:
    """Drops the settings, keys and endpoints of the developer's own shell, so that no test can reach a real account."""
    for name in tuple(os.environ):
        if name.startswith(("JADA_", "ANTHROPIC_", "AWS_")) and name != "JADA_STORM_SEED":
            del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def folder_of(path: Path) -> str:
    """The first folder below `tests` that `path` lies in, for instance `unit`."""
    return path.relative_to(TESTS).parts[0]


def rank_of(path: Path) -> int:
    """The place of a test's folder in the order of handing out."""
    folder = folder_of(path)
    return SLOW_FIRST.index(folder) if folder in SLOW_FIRST else len(SLOW_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts with the slow folders."""
    items.sort(key=lambda item: rank_of(item.path))


class FilesTogether(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
    """Hands out whole files, since their tests share dear fixtures, and whole folders where only one may run at a time.

    xdist's own groups are put behind the ids of tests, where pytest 9.2 no longer reads them.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        folder = folder_of(TESTS.parent / path)
        return folder if folder in ONE_AT_A_TIME else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    """Take the place of what `--dist` names."""
    return FilesTogether(config, log)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL with an empty database `jada`; started by the first test of a worker that asks for it."""
    with PostgresServer() as server:
        yield server
