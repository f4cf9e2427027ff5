"""A day of bad weather at the model's API, on virtual time: `python -m benchmarks.model_day`."""

from __future__ import annotations

import time

from jada_orchestrator.testing.model_day import run_day


def main() -> None:
    """Run the day and print what it came to."""
    began = time.perf_counter()
    report = run_day()
    print("\n".join(report.lines()))
    print(f"told the operator {len(report.told)} times; took {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
