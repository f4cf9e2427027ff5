"""Instants and durations, in and out."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain.instants import (
    UtcMs,
    format_date,
    format_duration,
    format_instant,
    parse_duration_ms,
    parse_instant,
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2027-04-01T12:00:00Z", 1_806_580_800_000),
        ("2027-04-01T14:00:00+02:00", 1_806_580_800_000),
        ("2027-04-01t12:00:00z", 1_806_580_800_000),
        ("2027-04-01 12:00:00Z", 1_806_580_800_000),
        ("2027-04-01T12:00:00.1239Z", 1_806_580_800_123),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_rfc_3339_is_read(text: str, instant: int) -> None:
    """Every RFC 3339 form names its millisecond, rounded down."""
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "2027-04-01",
        "2027-04-01T12:00:00",
        "2027-04-01T12:00Z",
        "2027-13-01T00:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "tomorrow",
        "",
        "1806580800",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """An instant without an offset, or of another form, is a ValueError and never a guess."""
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    """What is written is what the contract says, and reads back as the same instant."""
    assert format_instant(UtcMs(1_806_580_800_123)) == "2027-04-01T12:00:00.123Z"
    assert format_instant(UtcMs(-1)) == "1969-12-31T23:59:59.999Z"
    assert parse_instant(format_instant(UtcMs(-1))) == -1
    assert format_date(UtcMs(1_806_580_800_123)) == "2027-04-01"
    for text in ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"):
        assert format_instant(parse_instant(text)) == text


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("200ms", 200), ("20s", 20_000), ("1.5m", 90_000), ("2h", 7_200_000), ("1 d", 86_400_000), (" 0s ", 0)],
)
def test_durations_are_read(text: str, duration_ms: int) -> None:
    """A duration is a number and a unit."""
    assert parse_duration_ms(text) == duration_ms


@pytest.mark.parametrize("text", ["", "20", "s", "-1s", "1w", "1s 2ms", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A duration without a unit, below zero or of another form is a ValueError."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(340, "340 ms"), (4_200, "4.2 s"), (200_000, "3 min 20 s"), (7_500_000, "2 h 5 min")]
)
def test_durations_are_written_for_people(duration_ms: int, text: str) -> None:
    """A duration is shown in the unit that a person would choose."""
    assert format_duration(duration_ms) == text
