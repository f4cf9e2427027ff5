"""Follow docs/install-lightsail.md word by word, as root, on whatever host this runs on.

    python3 tests/system/guide.py docs/install-lightsail.md

Every console block is typed into one shell, in order, except those whose comment above says that they are not followed.
The stand-in's variables ($YOUR_...) have to be in the environment. Ends at the first line that fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*) -->\n)?```console\n(?P<lines>.*?)```", re.DOTALL)


def followed(text: str) -> list[str]:
    """The blocks that are typed."""
    found = _BLOCK.finditer(text)
    return [block["lines"] for block in found if not (block["note"] or "").startswith("not followed")]


if __name__ == "__main__":
    script = "set -euxo pipefail\n" + "\n".join(followed(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.exit(subprocess.run(["bash", "-c", script], check=False, stdin=subprocess.DEVNULL).returncode)
