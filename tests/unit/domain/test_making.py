"""Values that are made often are the dataclasses that they were, made at less cost."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from jada_orchestrator.domain.making import made_often


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    number: int = 3
    note: str | None = None


@made_often
@dataclass(frozen=True, slots=True)
class Quick:
    name: str
    number: int = 3
    note: str | None = None


def test_it_is_made_as_before() -> None:
    """Positions, names and defaults are the dataclass's own."""
    assert Quick("a") == Quick(name="a", number=3, note=None) == Quick("a", 3)
    assert (Quick("a", 4).number, Quick("a", note="n").note) == (4, "n")
    assert str(inspect.signature(Quick)) == str(inspect.signature(Plain))
    with pytest.raises(TypeError, match="name"):
        Quick()  # type: ignore[call-arg] # that is what is tested


def test_it_is_frozen_hashed_and_matched_as_before() -> None:
    """Nothing but the making of it is different."""
    one = Quick("a")
    with pytest.raises(FrozenInstanceError):
        one.name = "b"  # type: ignore[misc] # that is what is tested
    assert hash(one) == hash(Quick("a")) == hash(Plain("a"))
    assert repr(one) == "Quick(name='a', number=3, note=None)"
    match one:
        case Quick(name, number):
            assert (name, number) == ("a", 3)


def test_what_it_cannot_imitate_is_refused() -> None:
    """A class with a default factory would silently lose it."""

    @dataclass(frozen=True, slots=True)
    class WithFactory:
        names: list[str] = field(default_factory=list)

    with pytest.raises(TypeError, match="default factory"):
        made_often(WithFactory)
