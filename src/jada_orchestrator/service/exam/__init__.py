"""The exam: requests with expected properties, put to a model through the real planner and compiler, and scored.

`questions` reads what is asked and expected, `sitting` asks, `graphs` and `scoring` (both pure) judge, `report` sums
up. No agent is called. docs/exam.md tells the format, what each score means, and how to run it on a real model.
"""
