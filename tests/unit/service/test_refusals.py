"""Claims about what stops a command before it begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jada_orchestrator.adapters.claude.client import ModelConfigurationError
from jada_orchestrator.service.refusals import MisconfiguredError, configuration_checked

_SENDS = """
import sys
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.service import submitting
from jada_orchestrator.service.refusals import configuration_checked

with configuration_checked():
    print("anthropic" in sys.modules)
"""


def test_what_adapters_say_of_their_configuration_is_told_in_the_services_words() -> None:
    """A command sees one error with the adapter's text, and everything else as it is."""
    with pytest.raises(MisconfiguredError, match="no key"), configuration_checked():
        raise ModelConfigurationError("no key")
    with pytest.raises(LookupError), configuration_checked():
        raise LookupError


def test_a_command_that_sends_does_not_load_the_models_client() -> None:
    """`jada submit` and the demo spare themselves the memory and the time of a client that they never use."""
    done = subprocess.run([sys.executable, "-c", _SENDS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
