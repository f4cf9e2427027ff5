"""`python -m jada_orchestrator.agent` as its author types it: what is right works, what is wrong is explained."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from jada_orchestrator.agent.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

_MODULE = """
from jada_orchestrator.agent import Agent, AgentError
app = Agent("shop")
other = 1

@app.action("shop.buy", input={"type": "object", "required": ["what"]})
def buy(task):
    if task.input["what"] == "moon":
        raise AgentError("SOLD_OUT", "no moon is left")
    return task.input
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an author's module in it, as the current one."""
    (tmp_path / "shop_of_a_test.py").write_text(_MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "shop_of_a_test", raising=False)


@pytest.mark.parametrize(("what", "status"), [("sun", "succeeded"), ("moon", "failed")])
def test_call_prints_the_reply(capsys: pytest.CaptureFixture[str], what: str, status: str) -> None:
    """--call needs no queue, prints the contract's reply and exits by its status."""
    code = main(["shop_of_a_test:app", "--call", "shop.buy", json.dumps({"what": what})])
    reply = json.loads(capsys.readouterr().out)
    assert (code, reply["status"]) == (0 if status == "succeeded" else 1, status)


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (["shop_of_a_test:app"], "no queue given; say --queue NAME"),
        (["shop_of_a_test"], "must be MODULE:APP"),
        (["shop_of_no_test:app", "--queue", "q"], "there is no module shop_of_no_test"),
        (["shop_of_a_test:other", "--queue", "q"], "is int, not an Agent"),
        (["shop_of_a_test:app", "--call", "shop.buy", "{"], "the input is not JSON"),
        (["shop_of_a_test:app", "--queue", "q", "--concurrency", "0"], "must be at least 1"),
    ],
)
def test_mistakes_are_explained(capsys: pytest.CaptureFixture[str], arguments: list[str], explanation: str) -> None:
    """A wrong command line ends with status 2 and a sentence that says what is right."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert explanation in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows examples, the environment and what the exit statuses mean."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for taught in ("examples:", "JADA_AGENT_QUEUE", "JADA_AGENT_IDEMPOTENCY", "exit status:", "SIGTERM"):
        assert taught in text
