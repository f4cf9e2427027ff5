"""The operator's document knows every code, every error class and every log event of the source, and no others."""

from __future__ import annotations

from typing import Final

from jada_orchestrator.service.settings_tiers import keys, variable_of
from tests.unit.docs.source_facts import CODE, DOCS, capitals, codes, error_classes, log_events, rows, shown

OPERATIONS: Final = DOCS / "operations.md"
CONFIGURATION: Final = DOCS / "configuration.md"

PLACEHOLDERS: Final = frozenset(
    {
        "FROM_ENVIRONMENT",  # names of the program's own, in __all__
        "PATH_VARIABLE",
        "STAND_IN",
        "STAND_IN_HEADER",
        "ROOM_GONE",  # what the demo orders an agent to fail with
        "MESSAGE_ID",
        "TCP_KEEPIDLE",  # names of the operating system and of journald
        "SYSLOG_IDENTIFIER",
        "LC_ALL",  # of programs that the doctor runs
        "SYSTEMD_COLORS",
        "SYSTEMD_PAGER",
    }
)
"""Words in capitals that are neither codes nor variables that an operator sets or sees."""
COMPUTED: Final = {"BUDGET_": ("BOOKING", "TENANT_DAY", "DAY")}
"""Codes that are put together from a beginning and the name of a scope."""
STAND_IN_VARIABLES: Final = "sandbox/aws_local.py"
"""The one module whose variables are for the stand-in's own process."""


def documented_codes() -> set[str]:
    """The codes in the first column of any table."""
    return {row[0].strip("`") for row in rows(OPERATIONS) if len(row) == 4 and CODE.match(row[0].strip("`"))}


def test_every_code_has_an_entry() -> None:
    """Each code that a failure, fault, warning or reply can carry has a row that says what it means and what to do."""
    missing = {code: shown(place) for code, place in codes().items() if code not in documented_codes()}
    assert not missing, "docs/operations.md, Error codes: add a row for each"


def test_no_entry_is_stale() -> None:
    """Each code of the document is in the source."""
    computed = {beginning + end for beginning, ends in COMPUTED.items() for end in ends}
    assert documented_codes() <= set(codes()) | set(capitals()) | computed


def test_entries_say_who_does_what() -> None:
    """No row of the codes has an empty cell."""
    assert not [row[0] for row in rows(OPERATIONS) if len(row) == 4 and not all(row)]


def test_what_is_written_in_capitals_is_known() -> None:
    """Each word in capitals of the source is a code with an entry, a variable that is listed, or a name of our own."""
    variables = {name.strip(" `") for row in rows(CONFIGURATION) for name in row[0].split(",")} | {
        variable_of(key) for key in keys()
    }
    known = documented_codes() | variables | PLACEHOLDERS
    unknown = {
        word: shown(place)
        for word, place in capitals().items()
        if word not in known and not place[0].endswith(STAND_IN_VARIABLES)
    }
    assert not unknown


def test_every_error_class_has_an_entry() -> None:
    """The table of classes has exactly the public exceptions of the source."""
    listed = {row[0].strip("`") for row in rows(OPERATIONS, "Error classes")}
    assert not set(error_classes()) - listed, "docs/operations.md, Error classes: add a row for each"
    assert not listed - set(error_classes()), "docs/operations.md, Error classes: these are gone"


def test_every_log_event_has_an_entry_with_its_level() -> None:
    """The table of events has exactly the events of the source, each with the level at which it is written."""
    listed = {row[0].strip("`"): row[1] for row in rows(OPERATIONS, "Log events")}
    written = {event: level for event, (level, _) in log_events().items()}
    missing = [
        f"| `{event}` | {level} | what it means | what to do |" for event, level in written.items() - listed.items()
    ]
    assert not missing, "docs/operations.md, Log events: add or mend these rows"
    assert not set(listed) - set(written), "docs/operations.md, Log events: these are written no more"
