"""Agents that answer one question, for benchmarks of how calls are spread: their catalogue files."""

from __future__ import annotations

from pathlib import Path

TEXT = "{type: string}"
TEXTS = "{type: array, items: {type: string}}"


def write_asked(folder: Path, prefix: str, agents: int) -> Path:
    """Write so many agents with one reading action each, and one (`summary`) that takes all of their answers.

    Their functions are called after them, with the prefix.
    """
    folder.mkdir(parents=True)
    for number in range(agents):
        _write(folder, f"p{number:02d}", prefix, TEXT)
    _write(folder, "summary", prefix, TEXTS)
    return folder


def _write(folder: Path, name: str, prefix: str, given: str) -> None:
    text = f"""\
agent: {name}
description: Answers one question.
transport: {{kind: lambda, function: {prefix}-{name}}}
actions:
  {name}.ask:
    description: Answers.
    effect: read
    input: {{type: object, required: [given], properties: {{given: {given}}}, additionalProperties: false}}
    output: {{type: object, required: [a], properties: {{a: {{type: string}}}}}}
    timeout: 20s
"""
    (folder / f"{name}.yaml").write_text(text, "utf-8")
