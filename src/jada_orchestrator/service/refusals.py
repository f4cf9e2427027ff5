"""What stops a command before it begins, in the service's own words: the commands know no adapter's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jada_orchestrator.domain.faults import Fault


class MisconfiguredError(Exception):
    """Something that was configured cannot be used: catalogue, key, region, credentials, price list.

    Raised by the service's functions for commands, before anything is sent; the message says what to set (exit
    status 2).
    """


class BadMessageError(Exception):
    """A request or control message is not what the contract says. Raised before it is sent, with every fault.

    Whoever typed it mends the fields that the faults name (exit status 2).
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Keep the faults."""
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@contextmanager
def configuration_checked() -> Iterator[None]:
    """Turn what adapters say of their configuration into `MisconfiguredError`."""
    try:
        yield
    except _configuration_errors() as error:
        raise MisconfiguredError(str(error)) from error


def _configuration_errors() -> tuple[type[Exception], ...]:
    """Return what adapters raise of their configuration.

    It is asked for only when something was raised, because naming these classes loads the model's client: 40 MiB and a
    second that a command which never asks the model does not owe.
    """
    from jada_orchestrator.adapters.aws.errors import AwsSetupError
    from jada_orchestrator.adapters.claude.client import ModelConfigurationError
    from jada_orchestrator.adapters.host.catalogue_files import CatalogueError
    from jada_orchestrator.service.model_access import PriceListError

    return AwsSetupError, ModelConfigurationError, CatalogueError, PriceListError
