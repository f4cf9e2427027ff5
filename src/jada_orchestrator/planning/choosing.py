"""Choices: what is known of a chosen option before it is chosen, what the model sees, and what its answer names."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Final

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.house import CHOOSE
from jada_orchestrator.domain.limits import CHOICE_OPTION_CHARS_MAX, CHOICE_TEXT_CHARS_MAX
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.inference import infer
from jada_orchestrator.planning.proposal import read_json
from jada_orchestrator.planning.references import ReferenceFault, roots
from jada_orchestrator.planning.shapes import Made, Shape, item_of, of_schema, of_type

_LEVELS_MAX: Final = 4
_ITEMS_MAX: Final = 8
_VALUE_CHARS: Final = 8
"""What a value has beside its name and its text."""


def is_choice(step: Step) -> bool:
    """Tell whether a task chooses, so that the shape of its output follows from what it chooses from."""
    return step.action is not None and step.action.name == CHOOSE


def shape_of_choice(step: Step, shapes: Mapping[str, Shape]) -> Shape:
    """Return the shape of a choice's output: its option is an element of the list that is chosen from."""
    assert step.action is not None, "a choice has an action"
    known = of_schema(step.action.output_schema)
    options = next((each.value for each in step.task.arguments if (each.name, each.kind) == ("options", "ref")), "")
    try:
        if not options or roots(options.strip()) - set(shapes):
            return known
        option = item_of(infer(options.strip(), shapes).shape)
    except ReferenceFault:
        return known  # told where the reference is bound
    return (
        known
        if option.trouble
        else Made({"index": of_type("integer"), "option": option.shape, "by": of_type("string")})
    )


def shortened(value: Json) -> Json:
    """Return an option as the model sees it: its fields in their order, with long texts and lists cut off.

    What is beyond `CHOICE_OPTION_CHARS_MAX` is left out, so that no agent makes a question cost what it likes.
    """
    return _Short().of(value, 0)


class _Short:
    """Shortens one option; `left` is how many characters it may still have."""

    def __init__(self) -> None:
        self.left = CHOICE_OPTION_CHARS_MAX

    def of(self, value: Json, level: int) -> Json:
        match value:
            case str():
                return self._text(value)
            case list() | dict() if level >= _LEVELS_MAX:
                return None
            case list():
                items = takewhile(lambda _: self._has_room(), value[:_ITEMS_MAX])
                return [self.of(item, level + 1) for item in items]
            case dict():
                fields = takewhile(lambda _: self._has_room(), value.items())
                return {self._text(name): self.of(item, level + 1) for name, item in fields}
            case _:
                return value

    def _has_room(self) -> bool:
        """Tell whether there is room for one more value, and take what it has beside texts: signs, or a number."""
        self.left -= _VALUE_CHARS
        return self.left > 0

    def _text(self, text: str) -> str:
        short = text[: max(0, min(CHOICE_TEXT_CHARS_MAX, self.left))]
        self.left -= len(short)
        return short


def chosen_index(text: str, count: int) -> int | None:
    """Return the place that an answer names, ``{"index": n}``; None when it names none of these. Never raises."""
    try:
        answer = read_json(text)
    except ValueError:
        return None
    index = answer.get("index") if isinstance(answer, dict) else None
    return index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < count else None
