"""The scripted model's choices: the option that shares most words with the criteria; the first among equals."""

from __future__ import annotations

import json
import re
from typing import Any

_WORDS = re.compile(r"\w+")


def choose(choice: dict[str, Any]) -> str:
    """Return the text of the answer."""
    wanted = set(_WORDS.findall(str(choice.get("criteria", "")).lower()))
    options = choice.get("options") or []
    scores = [len(wanted & set(_WORDS.findall(json.dumps(option).lower()))) for option in options]
    return json.dumps({"index": scores.index(max(scores)) if scores else 0})
