"""The governor tells slow down, overloaded and spent apart, paces by headers, and bounds what retries cost."""

from __future__ import annotations

from jada_orchestrator.capacity.governor import Governor, GovernorSettings, Ticket, Wait
from jada_orchestrator.capacity.pacing import Load
from jada_orchestrator.domain.usage import PlannerSignal, RateLimit

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"


def go(
    governor: Governor, now: int = 0, model: str = SONNET, load: Load | None = None, *, retry: bool = False
) -> Ticket:
    """A call that gets leave."""
    ticket = governor.ask(model, load or Load(), now, retry=retry)
    assert isinstance(ticket, Ticket), ticket
    return ticket


def waits(
    governor: Governor, now: int = 0, model: str = SONNET, load: Load | None = None, *, retry: bool = False
) -> Wait:
    """A call that has to wait."""
    wait = governor.ask(model, load or Load(), now, retry=retry)
    assert isinstance(wait, Wait), wait
    return wait


def test_slow_down_stops_one_model_until_its_instant() -> None:
    """A 429 closes its model's lane until `retry-after`, for everybody at once, and no other lane."""
    governor = Governor()
    changes = governor.failed(go(governor), "slow_down", 100, why="429", retry_after_ms=20_000)
    assert [(change.gate, change.closed) for change in changes] == [("rate", True)]
    assert waits(governor, 5_000).until == 20_100
    go(governor, 5_000, HAIKU)
    assert go(governor, 20_100).is_probe
    assert waits(governor, 20_100).until is None


def test_overload_trips_the_breaker_at_the_third_failure_in_a_row() -> None:
    """Two overloaded answers are weather; with a good one between, four are; the third in a row opens the breaker."""
    governor = Governor()
    for signal in ("overloaded", "overloaded", "none", "overloaded", "overloaded"):
        assert governor.failed(go(governor), signal, 0) == []
    assert not governor.is_overloaded(SONNET)
    assert governor.failed(go(governor), "overloaded", 0)
    assert governor.is_overloaded(SONNET)
    assert waits(governor, 0).until == 5_000


def test_spent_stops_every_model() -> None:
    """A spend limit stops planning with all models, is told once, and is over after a probe's success."""
    governor = Governor(GovernorSettings(connections=2))
    assert governor.failed(go(governor), "spent", 0, why="spend limit")
    assert governor.stopped() == "spend limit"
    waits(governor, 0, HAIKU)
    assert governor.failed(go(governor, 60_000), "spent", 60_000) == []
    assert waits(governor, 60_000).until == 180_000
    changes = governor.answered(go(governor, 180_000, HAIKU), 181_000)
    assert governor.stopped() is None
    assert [(change.gate, change.closed, change.lasted_ms) for change in changes] == [("spend", False, 181_000)]


def test_headers_pace() -> None:
    """When the service says that little is left, calls wait until it has filled up again, each kind by itself."""
    governor = Governor()
    limits = (RateLimit("requests", 60, 10, 50_000), RateLimit("output_tokens", 6_000, 1_000, 50_000))
    governor.answered(go(governor), 0, limits)
    load = Load(output_tokens=900)
    go(governor, 0, load=load)
    wait = waits(governor, 0, load=load)
    assert wait.until == 8_001  # 800 tokens at 6,000 a minute
    go(governor, 8_001, load=load)
    go(governor, 8_001)  # a call without output waits for no output tokens


def test_an_older_answer_does_not_overrule_a_newer_one() -> None:
    """Headers of a call that was sent earlier are ignored: they know less."""
    governor = Governor()
    early = go(governor, 0)
    late = go(governor, 10)
    governor.answered(late, 20, (RateLimit("requests", 60, 0, 60_000),))
    governor.answered(early, 30, (RateLimit("requests", 60, 50, 10_000),))
    assert waits(governor, 30).why == "the service's rate limits"


def test_retries_after_billed_failures_are_bounded() -> None:
    """In an hour without success so many repeated questions go, and no more; first questions go on."""
    governor = Governor(GovernorSettings(retries_per_hour=3))
    for _ in range(3):
        governor.failed(go(governor, retry=True), "none", 0)
    wait = waits(governor, 0, retry=True)
    assert wait.own
    assert wait.until is not None
    assert abs(wait.until - 1_200_000) <= 1_000
    go(governor)


def test_successes_earn_retries() -> None:
    """Ten successes earn one repeated question."""
    governor = Governor(GovernorSettings(retries_per_hour=1))
    governor.failed(go(governor, retry=True), "none", 0)
    waits(governor, 0, retry=True)
    for _ in range(11):
        governor.answered(go(governor), 0)
    go(governor, 0, retry=True)


def test_connections_bound_all_models_together() -> None:
    """No more calls have leave than there are connections, whatever the model."""
    governor = Governor(GovernorSettings(connections=2))
    first = go(governor)
    go(governor, model=HAIKU)
    assert waits(governor).until is None
    governor.left(first, 0)
    go(governor)


def test_a_model_that_cannot_be_used_stops_alone() -> None:
    """A model that the service does not know is left alone; others go on, and planning as a whole is not stopped."""
    governor = Governor()
    signal: PlannerSignal = "model"
    governor.failed(go(governor), signal, 0)
    assert governor.stopped() is None
    assert governor.is_overloaded(SONNET)
    go(governor, model=HAIKU)
