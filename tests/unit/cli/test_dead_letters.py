"""`jada dlq` and `jada release`: what is shown and sent, on real clients against moto's SQS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto.server import ThreadedMotoServer

from jada_orchestrator.cli.main import main
from jada_orchestrator.domain.ids import RequestId, workflow_id_of
from jada_orchestrator.domain.records import AttentionSettled, Quarantined
from tests.unit.cli import bookings


class Queues:
    """The two queues, from the outside."""

    def __init__(self, endpoint: str) -> None:
        creating: Any = get_session().create_client
        self.client = creating("sqs", endpoint_url=endpoint)
        names = ("jada-requests", "jada-requests-dlq")
        self.urls = {name: self.client.create_queue(QueueName=name)["QueueUrl"] for name in names}

    def letter(self, body: str, code: str, **attributes: str) -> str:
        all_of_them = {"jada-reason-code": code, "jada-reason": f"{code} because", **attributes}
        typed = {name: {"DataType": "String", "StringValue": text} for name, text in all_of_them.items()}
        url = self.urls["jada-requests-dlq"]
        return str(self.client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=typed)["MessageId"])

    def close(self) -> None:
        for url in self.urls.values():
            self.client.delete_queue(QueueUrl=url)  # moto keeps its queues from server to server
        self.client.close()

    def bodies(self, name: str) -> list[str]:
        answer = self.client.receive_message(QueueUrl=self.urls[name], MaxNumberOfMessages=10)
        return sorted(each["Body"] for each in answer.get("Messages", ()))


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Queues]:
    """Fresh queues on moto, to which the environment points."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    given = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    made = Queues(endpoint)
    yield made
    made.close()
    server.stop()


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """What a command prints for programs."""
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def body_of(request_id: str) -> str:
    """A request's text."""
    return json.dumps({"request_id": request_id, "text": "Boston to Lisbon \x9b2J"})


def test_letters_are_listed_shown_and_moved(
    queues: Queues, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """List and show leave letters where they are; a dry run too; redrive moves what it says and leaves the rest."""
    monkeypatch.setenv("JADA_STORE", bookings.write(tmp_path, bookings.completed()))
    queues.letter(body_of("web-1"), "PLANNER_UNAVAILABLE", colour="red")
    poison = queues.letter("no JSON", "NOT_JSON")

    listed = json_of(capsys, "dlq", "list")
    assert (listed["queue"], listed["partial"], len(listed["letters"])) == ("jada-requests-dlq", None, 2)
    assert [each["code"] for each in json_of(capsys, "dlq", "list", "--reason", "not_json")["letters"]] == ["NOT_JSON"]
    shown = json_of(capsys, "dlq", "show", "web-1")
    assert (shown["body"], shown["attributes"]) == (body_of("web-1"), {"colour": "red"})
    assert main(["dlq", "list"]) == 0
    assert main(["dlq", "show", "web-1"]) == 0
    told = capsys.readouterr().out
    assert "PLANNER_UNAVAILABLE because" in told
    assert "\x9b" not in told

    dry = json_of(capsys, "dlq", "redrive", "--all", "--dry-run")
    assert sorted(each["how"] for each in dry["letters"]) == ["leave", "send"]
    assert main(["dlq", "redrive", "--all"]) == 0
    assert "1 moved from jada-requests-dlq to jada-requests, 1 left." in capsys.readouterr().out
    assert queues.bodies("jada-requests") == [body_of("web-1")]
    assert [each["letter_id"] for each in json_of(capsys, "dlq", "list")["letters"]] == [poison]
    assert json_of(capsys, "dlq", "redrive", poison[:12], "--as-it-came")["letters"][0]["deleted"]
    assert main(["dlq", "list"]) == 0
    assert "No letters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["redrive"], 2, "say which letters"),
        (["redrive", "web", "--all"], 2, "say which letters"),
        (["show", "web"], 2, "fits 2 letters"),
        (["show", "nobody"], 1, "there is no letter 'nobody'"),
        (["redrive", "web-1"], 3, "store"),
    ],
)
def test_what_cannot_be_done_is_said(
    queues: Queues,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    says: str,
) -> None:
    """No choice, an ambiguous one, an unknown one and a store that is away end with their status and a sentence."""
    monkeypatch.setenv("JADA_STORE", f"sqlite://{tmp_path / 'nowhere' / 'journal.db'}")
    queues.letter(body_of("web-1"), "PLAN_FAULTED")
    queues.letter(body_of("web-2"), "PLAN_FAULTED")
    assert main(["dlq", *arguments]) == status
    assert says in " ".join(capsys.readouterr().err.split())
    assert len(queues.bodies("jada-requests-dlq")) == 2


def test_what_needs_a_person_is_listed_until_it_is_settled(
    queues: Queues, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`settle` sends what was done; once that is in the journal it is off the list, told, and cannot be retried."""
    stands, records = bookings.standing()
    monkeypatch.setenv("JADA_STORE", bookings.write(tmp_path, (stands, records), bookings.completed()))
    assert [each["request_id"] for each in json_of(capsys, "list", "--unsettled")] == ["web-stands"]
    assert main(["settle", "web-stands", "  ", "--by", "anna"]) == 2
    assert "what was done by hand" in capsys.readouterr().err
    assert main(["settle", "web-stands", "Cancelled by phone, C-118", "--by", "anna"]) == 0
    [sent] = queues.bodies("jada-requests")
    asked = {"schema": "jada.control/1", "request_id": "web-stands", "command": "settle", "by": "anna"}
    assert json.loads(sent) == {**asked, "text": "Cancelled by phone, C-118"}

    settled = (stands, [*records, AttentionSettled("anna", "Cancelled by phone, C-118")])
    (tmp_path / "after").mkdir()
    monkeypatch.setenv("JADA_STORE", bookings.write(tmp_path / "after", settled))
    capsys.readouterr()
    assert json_of(capsys, "list", "--unsettled") == []
    shown = json_of(capsys, "show", "web-stands")
    assert (shown["status"], shown["settled_by"]) == ("needs_attention", "anna")
    assert main(["show", "web-stands"]) == 0
    assert "Settled by hand by anna" in capsys.readouterr().out
    assert "Cancelled by phone, C-118" in json.dumps(json_of(capsys, "why", "web-stands"))
    for command in (["retry", "web-stands"], ["settle", "web-stands", "again"]):
        assert main(command) == 1
        assert "anna" in capsys.readouterr().err


def test_what_was_set_aside_is_listed_explained_and_released(
    queues: Queues, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quarantined booking is listed as such, shown with its story, hears only `release`, and others hear none."""
    records = [*bookings.accepted("web-9"), Quarantined("law 5: two keys for one task")]
    aside = (workflow_id_of(RequestId("web-9")), records)
    monkeypatch.setenv("JADA_STORE", bookings.write(tmp_path, aside, bookings.running()))

    assert [each["request_id"] for each in json_of(capsys, "list", "--quarantined")] == ["web-9"]
    assert json_of(capsys, "show", "web-9")["error"] == {
        "code": "QUARANTINED",
        "message": "law 5: two keys for one task",
    }
    assert main(["show", "web-9"]) == 0
    assert "Set aside: law 5: two keys for one task" in capsys.readouterr().out
    for command in ("retry", "cancel"):
        assert main([command, "web-9"]) == 1
        assert "jada release web-9" in capsys.readouterr().err
    assert main(["release", "web-runs"]) == 1
    assert "was not set aside" in capsys.readouterr().err
    assert main(["release", "web-9", "--by", "anna"]) == 0
    [sent] = queues.bodies("jada-requests")
    assert json.loads(sent) == {
        "schema": "jada.control/1",
        "request_id": "web-9",
        "command": "release",
        "by": "anna",
    }
