"""The benchmarks behind `jada bench`: each figure beside a floor that is measured in the same run.

Beside the tower: it wires the real runtime to null agents, and may therefore import everything. Nothing imports it but
the command, and that one only when it runs.
"""

from __future__ import annotations
