"""What stops the daemon at its start is said in a way that can be mended, with the contract's exit status."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.service.settings import reference_catalogue
from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = "http://127.0.0.1:9"
"""A port at which nobody listens (discard)."""
DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


def environment_of(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing outside answers."""
    return {
        "AWS_ENDPOINT_URL": NOBODY,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "ANTHROPIC_BASE_URL": NOBODY,
        "ANTHROPIC_API_KEY": "no-key",
        "JADA_STORE": f"sqlite://{folder / 'journal.db'}",
    }


async def refused(daemon: Daemon) -> tuple[int, str]:
    """Start a daemon that must not come up; return its exit status and everything that it said."""
    async with daemon:
        status = await daemon.ended()
    assert not daemon.events("daemon.ready")
    said = "\n".join([*(line["message"] for line in daemon.lines), *daemon.raw])
    assert "Traceback" not in said
    return status, said


def printed(said: str) -> str:
    """Return what was said without the line breaks of a narrow terminal."""
    return "".join(said.split())


async def test_a_catalogue_with_mistakes(tmp_path: Path) -> None:
    """Every mistake of every file is named with its file and line, and the exit status is 2."""
    folder = tmp_path / "agents"
    shutil.copytree(reference_catalogue(), folder)
    flights = folder / "flights.yaml"
    text = flights.read_text("utf-8")
    flights.write_text(text.replace("    effect: read\n", "    effect: reads\n", 1), "utf-8")
    line = text.splitlines().index("    effect: read") + 1
    (folder / "odd.yaml").write_text("agent: odd\ntransport: {kind: pigeon}\nactions: {}\n", "utf-8")
    daemon = Daemon(tmp_path, environment_of(tmp_path), "--catalogue", str(folder))
    status, said = await refused(daemon)
    assert status == USAGE
    assert f"flights.yaml:{line}" in said
    assert "odd.yaml:2" in said
    assert "odd.yaml:1" in said or "odd.yaml:3" in said, "what is missing is named as well"


async def test_settings_with_mistakes(tmp_path: Path) -> None:
    """Every mistake in settings.json and the environment is named with its place, and the exit status is 2."""
    settings = tmp_path / "mistaken.json"
    settings.write_text('{\n  "model": "",\n  "receivers": 0,\n  "effort": "utmost"\n}\n', "utf-8")
    environment = {**environment_of(tmp_path), "JADA_SETTINGS": str(settings), "JADA_REPLY_QUEUE": "not a name"}
    status, said = await refused(Daemon(tmp_path, environment))
    assert status == USAGE
    assert all(f"mistaken.json:{line}" in printed(said) for line in (2, 3, 4))
    assert "JADA_REPLY_QUEUE" in printed(said)


async def test_settings_that_are_no_json(tmp_path: Path) -> None:
    """A settings.json that cannot be read at all is named, and the exit status is 2."""
    settings = tmp_path / "broken.json"
    settings.write_text('{"model": ', "utf-8")
    status, said = await refused(Daemon(tmp_path, {**environment_of(tmp_path), "JADA_SETTINGS": str(settings)}))
    assert status == USAGE
    assert "broken.json" in printed(said)


async def test_a_journal_from_a_newer_version(tmp_path: Path) -> None:
    """A store that a newer version wrote is refused, and not a byte of it changes."""
    store = tmp_path / "journal.db"
    with closing(sqlite3.connect(store)) as connection:
        connection.executescript("CREATE TABLE of_the_future (x); PRAGMA user_version = 4711;")
    before = hashlib.sha256(store.read_bytes()).hexdigest()
    status, said = await refused(Daemon(tmp_path, environment_of(tmp_path)))
    assert status == USAGE
    assert "newer" in said
    assert hashlib.sha256(store.read_bytes()).hexdigest() == before


async def test_a_store_without_a_folder(tmp_path: Path) -> None:
    """A store in a folder that is not there cannot be reached: exit status 3, and the setting is named."""
    environment = {**environment_of(tmp_path), "JADA_STORE": f"sqlite://{tmp_path / 'nowhere' / 'journal.db'}"}
    status, said = await refused(Daemon(tmp_path, environment))
    assert status == UNREACHABLE
    assert "nowhere" in said
    assert "JADA_STORE" in said


async def test_a_second_daemon_on_one_store(around: Surroundings) -> None:
    """The second daemon is refused and says which process has the store; the first does not notice."""
    async with around.daemon() as first:
        await first.ready()
        status, said = await refused(around.daemon())
        assert status == UNREACHABLE
        assert str(first.pid) in said
        await around.send(a_request("second-1"))
        outcome = await around.outcomes.outcome("second-1")
        assert outcome["type"] == "jada.booking.completed"
        assert await first.stop() == DONE


async def test_a_queue_that_is_not_there(around: Surroundings, tmp_path: Path) -> None:
    """Missing queues are all named with their settings and how to make them; the exit status is 3."""
    missing = {"JADA_REQUEST_QUEUE": "jada-misspelt", "JADA_OUTCOME_QUEUE": "jada-forgotten"}
    environment = {**around.environment, **missing, "JADA_STORE": f"sqlite://{tmp_path / 'journal.db'}"}
    status, said = await refused(Daemon(tmp_path, environment))
    assert status == UNREACHABLE
    for variable, queue in missing.items():
        assert f"{queue} ({variable})" in said
        assert f"create-queue --queue-name {queue}" in said


async def test_no_key_for_the_model(tmp_path: Path) -> None:
    """Without a key for the model's API the daemon says how to give one; the exit status is 2."""
    environment = environment_of(tmp_path)
    del environment["ANTHROPIC_API_KEY"]
    status, said = await refused(Daemon(tmp_path, {**environment, "HOME": str(tmp_path)}))
    assert status == USAGE
    assert "ANTHROPIC_API_KEY" in said


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_ACCESS_KEY_ID"])
async def test_aws_is_not_set_up(tmp_path: Path, name: str) -> None:
    """Without a region or credentials the daemon says which is missing and how to set it; the exit status is 2."""
    environment = environment_of(tmp_path)
    del environment[name]
    status, said = await refused(Daemon(tmp_path, environment))
    assert status == USAGE
    assert name in said


async def test_nobody_answers(tmp_path: Path) -> None:
    """With AWS and the model away the daemon stays, says so once for each, and drains with status 0: outages pass."""
    async with Daemon(tmp_path, environment_of(tmp_path)) as daemon:
        await daemon.ready()
        await until(lambda: len(daemon.events("queue.unreachable")) == 2, "both queues are said to be away")
        assert all(NOBODY in line["message"] for line in daemon.events("queue.unreachable"))
        assert "AWS_ENDPOINT_URL" in daemon.events("queue.unreachable")[0]["message"]
        await daemon.told("model.warning")  # the model is asked after beside the queues
        assert await daemon.stop() == DONE
    assert len(daemon.events("queue.unreachable")) == 2
    assert "MODEL_UNREACHABLE" in json.dumps(daemon.events("model.warning"))
