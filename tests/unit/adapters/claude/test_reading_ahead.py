"""Reading the tasks of an answer that is still arriving: any cuts, any text."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from jada_orchestrator.adapters.claude.reading_ahead import TasksAhead
from jada_orchestrator.domain.limits import FORESEEN_TASK_CHARS_MAX

TASKS: Final = [
    {"id": "rooms", "action": "a.b", "args": [{"name": "c", "kind": "user", "value": 'é } ] , "tasks": [{'}]},
    {"id": "hold", "action": "a.c", "args": []},
]
PROPOSAL: Final = {"outcome": "plan", "reason": 'so: {"tasks": [{}]}', "questions": [], "tasks": TASKS, "result": []}
anything: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def read(*pieces: str) -> list[str]:
    """Have an answer arrive in these pieces; return the tasks that are told."""
    told: list[str] = []
    ahead = TasksAhead(told.append)
    for piece in pieces:
        ahead.take(piece)
    return told


@example(tasks=[{}], before={"": 0.5}, indent=None, size=1)
@given(
    tasks=st.lists(st.dictionaries(st.text(max_size=5), anything, max_size=3), max_size=4),
    before=st.dictionaries(st.text(max_size=5).filter(lambda name: name != "tasks"), anything, max_size=3),
    indent=st.sampled_from([None, 1]),
    size=st.integers(1, 40),
)
def test_every_task_is_told_once_in_order_however_it_is_cut(
    tasks: list[Any], before: dict[str, Any], indent: int | None, size: int
) -> None:
    """Whatever comes before the tasks, whatever is in them, and wherever the pieces end."""
    text = json.dumps({**before, "tasks": tasks, "result": []}, indent=indent, ensure_ascii=False)
    assert [json.loads(told) for told in read(*(text[n : n + size] for n in range(0, len(text), size)))] == tasks


def test_a_task_is_told_with_its_last_character() -> None:
    """Not before it is whole, and not only when the next one begins."""
    text = json.dumps(PROPOSAL)
    first = text.index(json.dumps(TASKS[0])) + len(json.dumps(TASKS[0]))
    assert read(text[: first - 1]) == []
    assert [json.loads(told) for told in read(text[: first - 1], text[first - 1])] == TASKS[:1]


@given(st.lists(st.text(), max_size=5) | st.lists(st.sampled_from(['{"tasks":[', "{", "}", '"', "[", "]", ",", ":"])))
def test_any_text_is_read_without_harm(pieces: list[str]) -> None:
    """A refusal, a code fence, half a plan, noise: nothing is raised."""
    read(*pieces)


def test_what_is_no_proposal_is_left_alone() -> None:
    """Prose, a fence, a list, and tasks that are no list are for whoever reads the whole answer."""
    whole = json.dumps(PROPOSAL)
    for text in (
        "I cannot. " + whole,
        f"```json\n{whole}\n```",
        f"[{whole}]",
        '{"tasks": {"id": "x"}}',
        '{"tasks": [1]}',
    ):
        assert read(text) == []


def test_what_is_kept_unread_is_bounded() -> None:
    """After a task larger than any, nothing more is read, so that no answer costs much."""
    large = json.dumps({"id": "x" * 2 * FORESEEN_TASK_CHARS_MAX})
    text = f'{{"tasks": [{large}, {json.dumps(TASKS[1])}]}}'
    assert read(*(text[n : n + 100] for n in range(0, len(text), 100))) == []
    deep = '{"tasks": [' + '{"a":' * 2_000
    assert read(deep, "1") == []
