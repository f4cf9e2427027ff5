"""What a benchmark says: figures, each with its floor, and how several runs become one figure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    `value` and `floor` are medians of `runs`, in `unit`. The ratio is `value / floor`; `target` is what it (or, without
    a floor, the value) has to be, read by `better`: at least for "more", at most for "less".
    """

    measure: str
    unit: str
    value: float
    better: Literal["more", "less"]
    floor_name: str = ""
    floor: float | None = None
    target: float | None = None
    runs: int = 1
    cpu_us: float | None = None
    """Processor time of the whole process for one task, call or workflow, threads included."""
    floor_cpu_us: float | None = None
    limited_by: str = ""

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of its floor."""
        return None if not self.floor else self.value / self.floor

    @property
    def cpu_ratio(self) -> float | None:
        """The same of processor time, floor over value for rates, so that both read alike."""
        if not self.cpu_us or not self.floor_cpu_us:
            return None
        return self.floor_cpu_us / self.cpu_us if self.better == "more" else self.cpu_us / self.floor_cpu_us

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        reached = self.value if self.ratio is None else self.ratio
        return reached >= self.target if self.better == "more" else reached <= self.target


@dataclass(frozen=True, slots=True)
class Timed:
    """How long something took, by the wall and by the process's own processor time."""

    wall_s: float
    cpu_s: float


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-round(share * 1_000) * len(ordered) // 1_000) - 1))]
