"""The reference agents as the stack wants them: what runs where, read from the reference catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jada_orchestrator.sandbox.agents.catalogue import catalogue_folder
from jada_orchestrator.sandbox.stack import SandboxAgent

_PACKAGE = "jada_orchestrator.sandbox.agents"


def reference_agents(folder: Path | None = None) -> tuple[SandboxAgent, ...]:
    """Every agent of the reference catalogue, each with the module of its name in `sandbox.agents`."""
    return tuple(_read(folder or catalogue_folder()))


def _read(folder: Path) -> Iterator[SandboxAgent]:
    from ruamel.yaml import YAML

    for path in sorted(folder.glob("*.yaml")):
        described = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        name, transport = described["agent"], described["transport"]
        app = f"{_PACKAGE}.{name}:app"
        if transport["kind"] == "lambda":
            yield SandboxAgent(name, "lambda", transport["function"], app, transport.get("qualifier"))
        else:
            yield SandboxAgent(name, "sqs", transport["queue"], app)
