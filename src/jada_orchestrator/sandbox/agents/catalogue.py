"""Where the reference catalogue is, and the copies of its schemas that the reference agents load.

`python -m jada_orchestrator.sandbox.agents.catalogue` writes the copies anew after a change of `config/agents`; with
`--check` it only says which are out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).resolve().parent
SCHEMAS: Final = _HERE / "schemas"


class CatalogueMissing(Exception):
    """Raised when the catalogue is in neither of its two places: install the package again."""


def catalogue_folder() -> Path:
    """Where the reference catalogue's YAML is: inside an installed package, or in the repository's `config/agents`."""
    for folder in (_HERE.parents[1] / "config" / "agents", _HERE.parents[3] / "config" / "agents"):
        if (folder / "flights.yaml").is_file():
            return folder
    raise CatalogueMissing("the reference catalogue (flights.yaml and the others) was not installed with this package")


def schemas_of(agent: str) -> dict[str, dict[str, Any]]:
    """Effect and schemas by action, from the agent's own copy; read once when its module is loaded."""
    schemas: dict[str, dict[str, Any]] = json.loads((SCHEMAS / f"{agent}.json").read_text(encoding="utf-8"))
    return schemas


def copies(folder: Path) -> dict[str, str]:
    """What the copies must say: the text by the agent's name. The only place that reads the YAML."""
    from ruamel.yaml import YAML

    found = {}
    for path in sorted(folder.glob("*.yaml")):
        agent = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        actions = {
            name: {"effect": action["effect"], "input": action["input"], "output": action["output"]}
            for name, action in agent["actions"].items()
        }
        found[agent["agent"]] = json.dumps(actions, indent=1, ensure_ascii=False) + "\n"
    return found


def main(arguments: list[str]) -> int:
    """Writes or checks the copies; exit status 1 when `--check` finds an old one."""
    wanted = copies(catalogue_folder())
    old = [name for name, text in wanted.items() if _text(SCHEMAS / f"{name}.json") != text]
    for name in old:
        sys.stdout.write(f"{name}.json is out of date\n")
        if "--check" not in arguments:
            (SCHEMAS / f"{name}.json").write_text(wanted[name], encoding="utf-8")
    return 1 if old and "--check" in arguments else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
