"""`jada doctor`: all green on the sandbox, and every fault of the table below is found and comes with its remedy."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from aiobotocore.session import get_session

from jada_orchestrator.sandbox.booth import Sandbox
from jada_orchestrator.service.doctor.examination import Wishes, examine
from jada_orchestrator.service.doctor.findings import Finding
from jada_orchestrator.service.doctor.surroundings import Ran, Surroundings, real_surroundings
from jada_orchestrator.service.settings_tiers import load_settings

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
"""One loop for all: the scripted model answers in it."""

ROOT: Final = Path(__file__).parents[2]
NO_UNIT: Final = Ran(4, "Unit jada-orchestrator.service could not be found.")


async def no_unit(_: Sequence[str]) -> Ran:
    """A host without the unit, whatever is asked."""
    return NO_UNIT


GOOD_HOST: Final = Surroundings(
    limits=lambda: (65_536, 524_288),
    nr_open=lambda: 1_048_576,
    disk=lambda _: (100 * 2**30, 50 * 2**30),
    now=time.time,
    run=no_unit,
)


@dataclass(slots=True)
class Planted:
    """A place to plant a fault: the environment, the host, a folder of agents and a settings.json of its own."""

    folder: Path
    environment: dict[str, str]
    host: Surroundings = GOOD_HOST
    wishes: Wishes = field(default_factory=Wishes)

    def settings(self, text: str) -> None:
        """Use a settings.json with this text."""
        path = self.folder / "settings.json"
        path.write_text(text)
        self.environment["JADA_SETTINGS"] = str(path)

    def agents(self, name: str, old: str, new: str) -> None:
        """Use the reference agents with something replaced in one file."""
        agents = self.folder / "agents"
        agents.mkdir()
        for path in (ROOT / "config" / "agents").glob("*.yaml"):
            text = path.read_text()
            if path.stem == name:
                assert old in text
                text = text.replace(old, new, 1)
            (agents / path.name).write_text(text)
        self.environment["JADA_CATALOGUE"] = str(agents)

    def answers(self, program: str, status: int | None, output: str) -> None:
        """Have a program say this; others are as on a host without the unit."""

        async def run(argv: Sequence[str]) -> Ran:
            return Ran(status, output) if argv[0] == program else NO_UNIT

        self.host = replace(self.host, run=run)

    def asked_by_ssh(self, destination: str, ran: Ran) -> None:
        """Ask another host, which answers so."""
        self.wishes = Wishes(ssh=destination)
        self.answers("ssh", ran.status, ran.output)

    @asynccontextmanager
    async def client(self, service: str) -> AsyncIterator[Any]:
        """A client of the stand-in, to break something there."""
        creating: Any = get_session().create_client
        names = self.environment
        async with creating(
            service,
            region_name=names["AWS_REGION"],
            endpoint_url=names["AWS_ENDPOINT_URL"],
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        ) as client:
            yield client

    async def queue(self, name: str, **attributes: str) -> None:
        """Make a queue with these attributes, and use it as the request queue."""
        async with self.client("sqs") as sqs:
            await sqs.create_queue(QueueName=name, Attributes=attributes)
        self.environment["JADA_REQUEST_QUEUE"] = name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The stand-ins, for all tests of this file; what they break are things of their own."""
    async with Sandbox(tmp_path_factory.mktemp("doctor")) as running:
        yield running


@pytest.fixture
def planted(sandbox: Sandbox, tmp_path: Path) -> Planted:
    """A sound place on the sandbox."""
    return Planted(tmp_path, {**sandbox.environment, "JADA_STORE": f"sqlite://{tmp_path}/journal.db"})


async def report(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Examine the place."""
    for name, value in planted.environment.items():
        monkeypatch.setenv(name, value)
    return await examine(load_settings, planted.wishes, planted.host)


Plant = Callable[[Planted], Any]


def arn(name: str) -> str:
    """A queue's name in the stand-in."""
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


def _drop(*names: str) -> Plant:
    return lambda planted: [planted.environment.pop(name) for name in names]


def _set(**values: str) -> Plant:
    return lambda planted: planted.environment.update(values)


def _host(**values: Any) -> Plant:
    def plant(planted: Planted) -> None:
        planted.host = replace(planted.host, **values)

    return plant


async def _hasty_function(planted: Planted) -> None:
    async with planted.client("lambda") as functions:
        made = await functions.get_function_configuration(FunctionName="jada-fares")
        await functions.create_function(
            FunctionName="jada-hasty",
            Runtime="python3.12",
            Role=made["Role"],
            Handler="handler.handler",
            Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
            Timeout=1,
        )
        # It is pending for a moment, which is another finding.
        active = functions.get_waiter("function_active_v2")
        await active.wait(FunctionName="jada-hasty", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    planted.agents(
        "fares", "{kind: lambda, function: jada-fares, qualifier: live}", "{kind: lambda, function: jada-hasty}"
    )


def _low_ceiling(planted: Planted) -> None:
    planted.settings('{"descriptors": {"ceiling": 256}}')
    planted.host = replace(planted.host, limits=lambda: (128, 524_288))


def _damaged_store(planted: Planted) -> None:
    (planted.folder / "journal.db").write_bytes(b"this is no database, and long enough to be read as one" * 100)


def _foreign_store(planted: Planted) -> None:
    connection = sqlite3.connect(planted.folder / "journal.db")
    connection.execute("CREATE TABLE something (x)")
    connection.close()


def _no_file_writable(planted: Planted) -> None:
    planted.environment["JADA_STORE"] = "sqlite:///nowhere/at/all/journal.db"


def _unit(**values: str) -> str:
    known = {"LoadState": "loaded", "ActiveState": "active", "Result": "success", "NRestarts": "0", "MainPID": "0"}
    return "".join(f"{name}={value}\n" for name, value in {**known, **values}.items())


FAULTS: Final[dict[str, tuple[Plant, str, str]]] = {
    "settings.json is no JSON": (lambda p: p.settings('{"model": '), "failure", "SETTINGS_NOT_JSON"),
    "a setting has a wrong value": (lambda p: p.settings('{"receivers": 0}'), "failure", "SETTING_INVALID"),
    "a setting is misspelled": (lambda p: p.settings('{"modell": "x"}'), "warning", "SETTING_NOT_USED"),
    "a setting that the API refuses": (
        lambda p: p.settings('{"defaults": {"temperature": 0.7}}'),
        "warning",
        "SETTING_NOT_USED",
    ),
    "an agent's file has a mistake": (
        lambda p: p.agents("fares", "effect: read", "effect: reed"),
        "failure",
        "*catalogue",
    ),
    "too few open files": (_host(limits=lambda: (48, 48)), "failure", "FILES_TOO_FEW"),
    "pools smaller than wanted": (_host(limits=lambda: (256, 256)), "warning", "POOLS_SHRUNK"),
    "pools smaller by the settings' own ceiling": (_low_ceiling, "warning", "POOLS_SHRUNK"),
    "a full disk": (_host(disk=lambda _: (2**40, 2**20)), "failure", "DISK_FULL"),
    "a disk that fills": (_host(disk=lambda _: (2**40, 500 * 2**20)), "warning", "DISK_LOW"),
    "no folder for the store": (_no_file_writable, "failure", "STORE_FOLDER"),
    "a store's URL that names no place": (_set(JADA_STORE="sqlite:journal.db"), "failure", "STORE_URL"),
    "a damaged store": (_damaged_store, "failure", "STORE_*"),
    "another program's store": (_foreign_store, "failure", "STORE_*"),
    "no key for the model": (_drop("ANTHROPIC_API_KEY"), "failure", "MODEL_KEY"),
    "the model's API is away": (_set(ANTHROPIC_BASE_URL="http://127.0.0.1:9"), "failure", "MODEL_NOT_ASKED"),
    "a model that nobody knows": (_set(JADA_MODEL="claude-nobody"), "failure", "MODEL_UNKNOWN"),
    "a rung of the ladder that nobody knows": (
        _set(JADA_MODELS__PLAN="claude-sonnet-4-6,claude-nobody"),
        "failure",
        "MODEL_UNKNOWN",
    ),
    "a price list that is none": (
        lambda p: p.settings('{"models": {"prices": "/dev/null"}}'),
        "failure",
        "MODEL_PRICES",
    ),
    "no AWS credentials": (
        lambda p: (_drop("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")(p), _set(HOME=str(p.folder))(p)),
        "failure",
        "AWS_SETUP",
    ),
    "no AWS region": (_drop("AWS_REGION", "AWS_DEFAULT_REGION"), "failure", "AWS_SETUP"),
    "AWS is away": (_set(AWS_ENDPOINT_URL="http://127.0.0.1:9"), "failure", "AWS_UNREACHABLE"),
    "a clock that is wrong": (_host(now=lambda: time.time() + 600), "failure", "CLOCK_WRONG"),
    "a clock that goes wrong": (_host(now=lambda: time.time() - 90), "warning", "CLOCK_SKEWED"),
    "no request queue": (_set(JADA_REQUEST_QUEUE="jada-nowhere"), "failure", "QUEUE_MISSING"),
    "no dead-letter queue": (_set(JADA_DEAD_LETTER_QUEUE="jada-nowhere"), "failure", "QUEUE_MISSING"),
    "requests without redrive": (lambda p: p.queue("q-plain"), "warning", "NO_REDRIVE"),
    "redrive to another queue": (
        lambda p: p.queue(
            "q-other", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn("jada-outcomes"), "maxReceiveCount": 5})
        ),
        "warning",
        "OTHER_REDRIVE",
    ),
    "a queue that forgets": (lambda p: p.queue("q-short", MessageRetentionPeriod="600"), "warning", "QUEUE_FORGETS"),
    "a queue that delays": (lambda p: p.queue("q-late", DelaySeconds="60"), "warning", "QUEUE_DELAYS"),
    "a worker without queue": (
        lambda p: p.agents("validator", "queue: jada-validator", "queue: jada-gone"),
        "failure",
        "QUEUE_MISSING",
    ),
    "a function that is not there": (
        lambda p: p.agents("fares", "function: jada-fares", "function: jada-gone"),
        "failure",
        "FUNCTION_MISSING",
    ),
    "an alias that is not there": (
        lambda p: p.agents("fares", "qualifier: live", "qualifier: dead"),
        "failure",
        "FUNCTION_MISSING",
    ),
    "a function that is cut off before us": (_hasty_function, "warning", "FUNCTION_TIMEOUT"),
    "an agent's model parameter is missing": (
        lambda p: p.agents("flights", "model: claude-haiku-4-5", "model: {ssm: /jada/nowhere}"),
        "failure",
        "AGENT_MODEL_MISSING",
    ),
    "an agent's model file is missing": (
        lambda p: p.agents("flights", "model: claude-haiku-4-5", "model: {file: /nowhere/config.json}"),
        "failure",
        "AGENT_MODEL_MISSING",
    ),
    "the unit has failed": (
        lambda p: p.answers("systemctl", 0, _unit(ActiveState="failed", Result="watchdog", NRestarts="10")),
        "failure",
        "UNIT_FAILED",
    ),
    "the unit was restarted": (
        lambda p: p.answers("systemctl", 0, _unit(NRestarts="3")),
        "warning",
        "UNIT_RESTARTED",
    ),
    "the unit's file was changed": (
        lambda p: p.answers("systemctl", 0, _unit(NeedDaemonReload="yes")),
        "warning",
        "UNIT_CHANGED",
    ),
    "the other host is not known": (
        lambda p: p.asked_by_ssh("admin@203.0.113.7", Ran(255, "Host key verification failed.")),
        "failure",
        "SSH_UNREACHABLE",
    ),
    "the other host's service is down": (
        lambda p: p.asked_by_ssh("admin@203.0.113.7", Ran(3, "inactive")),
        "failure",
        "SSH_INACTIVE",
    ),
    "no ssh destination": (lambda p: p.asked_by_ssh("-oProxyCommand=x", Ran(0, "active")), "failure", "SSH_NAME"),
}


async def test_all_is_green_on_the_sandbox(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found where nothing was planted, and every area has its line."""
    found = await report(planted, monkeypatch)
    assert [finding for finding in found if finding.verdict != "ok"] == []
    areas = {finding.area for finding in found}
    assert areas == {
        "settings", "catalogue", "limits", "disk", "store", "model", "clock", "aws", "queues", "agents", "service"
    }  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
async def test_a_planted_fault_is_found(name: str, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault has its line with verdict, code and remedy; checks that it does not touch stay green."""
    plant, verdict, code = FAULTS[name]
    for variable in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(variable, raising=False)
    done = plant(planted)
    if hasattr(done, "__await__"):
        await done
    found = await report(planted, monkeypatch)
    matching = [
        each
        for each in found
        if each.verdict == verdict
        and (each.code == code or (code.endswith("*") and each.code.startswith(code[:-1])) or f"*{each.area}" == code)
    ]
    assert matching, [each for each in found if each.verdict != "ok"]
    assert all(each.remedy for each in found if each.verdict != "ok")
    assert not [each for each in found if each.code == "CHECK_FAILED"]


def _model_in_an_environment_file(planted: Planted) -> None:
    path = planted.folder / "worker.env"
    path.write_text("JADA_MODEL=claude-haiku-4-5\n")
    planted.agents("flights", "model: claude-haiku-4-5", f"model: {{file: {path}}}")


async def _model_in_a_secret_parameter(planted: Planted) -> None:
    async with planted.client("ssm") as parameters:
        await parameters.put_parameter(Name="/jada/secret", Value="claude-haiku-4-5", Type="SecureString")
    planted.agents("flights", "model: claude-haiku-4-5", "model: {ssm: /jada/secret}")


SOUND: Final[dict[str, Plant]] = {
    "a model without a known bound of output": lambda p: p.agents(
        "flights", "model: claude-haiku-4-5", "model: claude-haiku-5-5"
    ),
    "a model in an environment file": _model_in_an_environment_file,
    "a model in a secret parameter": _model_in_a_secret_parameter,
    "models by Bedrock": lambda p: (
        _drop("ANTHROPIC_API_KEY")(p),
        _set(JADA_MODELS__PROVIDER="bedrock", AWS_BEARER_TOKEN_BEDROCK="made-up")(p),
    ),
}


@pytest.mark.parametrize("name", SOUND)
async def test_what_is_sound_is_not_complained_of(name: str, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the daemon and `jada models` take, the doctor takes: no line but that nothing is wrong."""
    done = SOUND[name](planted)
    if hasattr(done, "__await__"):
        await done
    if "ANTHROPIC_API_KEY" not in planted.environment:
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    found = await report(planted, monkeypatch)
    assert [finding for finding in found if finding.verdict != "ok"] == []


async def test_nothing_is_changed(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor leaves no file behind, not even the store."""
    await report(planted, monkeypatch)
    assert list(planted.folder.iterdir()) == []


async def test_the_time_is_bounded(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer in time is a failure of its own, and the other lines are there."""
    for name, value in planted.environment.items():
        monkeypatch.setenv(name, value)
    found = await examine(load_settings, Wishes(), planted.host, time_max_s=0.0)
    assert {each.area for each in found if each.code == "CHECK_SLOW"} >= {"model", "aws"}


async def test_real_programs_are_asked_and_ended() -> None:
    """A program's status and words come back; one that is not there is told as such."""
    run = real_surroundings().run
    assert await run(["sh", "-c", "echo said; exit 3"]) == Ran(3, "said\n")
    assert (await run(["nobody-has-this-program"])).status is None
