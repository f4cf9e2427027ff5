"""The data files of this adapter under `config/`: in the installed package, or in the checkout."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from jada_orchestrator.domain.documents import JsonObject


def read_shipped(name: str) -> JsonObject:
    """Return the JSON object in a file of `config/`.

    The wheel carries the folder inside the package; an editable installation finds it at the root of the checkout.

    Raises:
        FileNotFoundError: the file is in neither place; the installation is not whole.
    """
    packed = resources.files("jada_orchestrator").joinpath("config", name)
    source = packed if packed.is_file() else Path(__file__).parents[4] / "config" / name
    loaded: JsonObject = json.loads(source.read_text(encoding="utf-8"))
    return loaded
