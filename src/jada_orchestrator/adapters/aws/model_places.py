"""Where AWS keeps the models of agents: a function's own environment, and parameters of SSM."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from botocore import exceptions as boto

from jada_orchestrator.adapters.aws.clients import AwsClients

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    T = TypeVar("T")

_TIMEOUT_S: Final = 10.0
_ABSENT: Final = frozenset({"ParameterNotFound", "ResourceNotFoundException"})


class PlaceError(Exception):
    """A place could not be read or written. Raised by `AwsPlaces`; the message says what to mend."""


class PlaceAbsentError(PlaceError):
    """There is no such function or parameter. Raised by `AwsPlaces`; the operator corrects the name or makes it."""


class AwsPlaces:
    """Reads and writes models at AWS. Nothing is retried: an operator is waiting, and can ask again."""

    def __init__(self, clients: AwsClients) -> None:
        """Take the clients, which somebody else closes."""
        self._clients = clients

    async def environment_of(self, function: str, qualifier: str = "") -> dict[str, str]:
        """Return a function's own environment. Raises: PlaceError."""
        extra = {"Qualifier": qualifier} if qualifier else {}
        asked = self._clients.functions.get_function_configuration(FunctionName=function, **extra)
        answer = await _answer(f"function {function}", asked)
        return dict(answer.get("Environment", {}).get("Variables", {}))

    async def parameter(self, name: str) -> str:
        """Return a parameter's value. Raises: PlaceError."""
        asked = self._clients.parameters.get_parameter(Name=name, WithDecryption=True)
        answer = await _answer(f"parameter {name}", asked)
        return answer["Parameter"].get("Value", "")

    async def put_parameter(self, name: str, value: str) -> None:
        """Write a parameter, new or known. Raises: PlaceError."""
        put = self._clients.parameters.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        await _answer(f"parameter {name}", put)


async def _answer(what: str, asked: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await asked
    except boto.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = f"{what}: {error.response.get('Error', {}).get('Message', '')} [{code}]"
        raise (PlaceAbsentError if code in _ABSENT else PlaceError)(message) from error
    except TimeoutError as error:
        raise PlaceError(f"{what}: AWS did not answer within {_TIMEOUT_S:.0f} s") from error
    except boto.BotoCoreError as error:
        raise PlaceError(f"{what}: {error}") from error
