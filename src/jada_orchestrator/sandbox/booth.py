"""The whole sandbox in one context: local AWS with the reference agents, their inventory, and the scripted model.

Everything in it is a stand-in, except what runs: the agents' code is executed, the clients that talk to it are the real
ones. `environment` is all that `jada run` and `jada submit` need to use it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from jada_orchestrator.sandbox.agents.catalogue import catalogue_folder
from jada_orchestrator.sandbox.aws_local import LocalAws
from jada_orchestrator.sandbox.inventory import PATH_VARIABLE, Books
from jada_orchestrator.sandbox.model import Pace, ScriptedModel
from jada_orchestrator.sandbox.reference import reference_agents
from jada_orchestrator.sandbox.stack import QueueNames, local_stack

STAND_IN_KEY: Final = "sandbox-key-for-the-scripted-model"
DEMO_PACE: Final = Pace(first_token_s=0.3, tokens_per_second=800)
"""About as fast as a small real model, so that what is watched looks as it will."""


def default_state() -> Path:
    """Return where the sandbox keeps its inventory and the journal: ``JADA_STATE``, else the user's state folder."""
    named = os.environ.get("JADA_STATE", "")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "state") / "jada" / "sandbox"


def inventory_of(state: Path) -> Path:
    """Return the inventory's file in a state folder."""
    return state / "inventory.db"


class Sandbox:
    """The stand-ins as an asynchronous context; after it no process is left.

    `state` keeps the inventory, the journal and the stand-ins' logs. `real_model` and `real_aws` leave one side to what
    the environment has. Entering raises `SandboxUnavailable` or `ProcessFailed`.
    """

    def __init__(
        self,
        state: Path,
        *,
        real_model: bool = False,
        real_aws: bool = False,
        pace: Pace | None = None,
        queues: QueueNames | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Take where to keep things and what to leave to the real world."""
        self.state = state.absolute()
        self.queues = queues or QueueNames()
        self.model: ScriptedModel | None = None if real_model else ScriptedModel(pace=pace)
        self.aws: LocalAws | None = None
        self._real_aws = real_aws
        self._variables = dict(variables or {})
        self._exits = AsyncExitStack()

    @property
    def inventory(self) -> Path:
        """The reference agents' books."""
        return inventory_of(self.state)

    @property
    def store(self) -> str:
        """The journal's URL."""
        return f"sqlite://{self.state / 'journal.db'}"

    @property
    def environment(self) -> dict[str, str]:
        """What the other commands need; meaningful inside the context."""
        names = {
            "JADA_STORE": self.store,
            "JADA_CATALOGUE": str(catalogue_folder()),
            "JADA_REQUEST_QUEUE": self.queues.requests,
            "JADA_DEAD_LETTER_QUEUE": self.queues.dead_letter,
            "JADA_OUTCOME_QUEUE": self.queues.outcomes,
            "JADA_REPLY_QUEUE": self.queues.replies,
        }
        if self.aws is not None:
            names |= self.aws.environment
            names[PATH_VARIABLE] = str(self.inventory)
        if self.model is not None:
            names |= {"ANTHROPIC_BASE_URL": self.model.url, "ANTHROPIC_API_KEY": STAND_IN_KEY}
        return names

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """What is not the real thing, a sentence each."""
        told = []
        if self.aws is not None:
            told.append(
                f"AWS is a local stand-in (ministack) at {self.aws.endpoint}; the agents' code really runs in it."
            )
            told.append(f"What the agents sell is made up: the inventory is {self.inventory}.")
        if self.model is not None:
            told.append(
                f"The model is a script with rules, not Claude, at {self.model.url}; its prices are as if it were."
            )
        return tuple(told)

    async def __aenter__(self) -> Self:
        self.state.mkdir(parents=True, exist_ok=True)
        try:
            if self.model is not None:
                await self._exits.enter_async_context(self.model)
            if not self._real_aws:
                Books(self.inventory).close()  # made once, before many functions would make it at the same time
                self.aws = await self._exits.enter_async_context(
                    local_stack(
                        self.state / "aws",
                        reference_agents(),
                        queues=self.queues,
                        variables={PATH_VARIABLE: str(self.inventory), **self._variables},
                    )
                )
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()


def export_lines(environment: Mapping[str, str]) -> str:
    """Return shell lines to paste."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def env_file_lines(environment: Mapping[str, str]) -> str:
    """Return an env file, as ``set -a; . FILE`` and systemd's EnvironmentFile read it."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
