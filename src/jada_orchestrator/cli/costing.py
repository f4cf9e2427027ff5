"""`jada cost`: what the model's calls cost, and what they would cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import now_ms
from jada_orchestrator.cli.failing import USAGE, CommandError
from jada_orchestrator.cli.screen import print_error, print_json, screen
from jada_orchestrator.domain.instants import UtcMs, format_instant, parse_instant
from jada_orchestrator.domain.model_calls import ModelCall
from jada_orchestrator.ports.journal import JournalReader, JournalUnavailableError
from jada_orchestrator.service.ledger import DAY_MS, KEYS, Totals, cold_models, grouped, never_sent, totals_of
from jada_orchestrator.service.store_access import resolve


def cost(
    context: typer.Context,
    ref: Annotated[
        str | None, typer.Argument(help="One booking: a workflow id, a request id, or a beginning.", metavar="[ID]")
    ] = None,
    *,
    by: Annotated[
        str, typer.Option(help=f"What to group by, with commas: {', '.join(KEYS)}.", metavar="KEYS")
    ] = "day,tenant,model,purpose",
    since: Annotated[str | None, typer.Option(help="From this day on (YYYY-MM-DD).", metavar="DAY")] = None,
    until: Annotated[str | None, typer.Option(help="Before this day (YYYY-MM-DD).", metavar="DAY")] = None,
    project: Annotated[
        str | None, typer.Option(help="A month's cost at so many requests a day: 100,1000.", metavar="NUMBERS")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Project for these models only, with commas.", metavar="MODELS")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Project the worked example of docs/cost.md, not the ledger.")
    ] = False,
    corrections: Annotated[
        float | None, typer.Option(min=0, max=5, help="Project with so many corrections a request, for all models.")
    ] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what the model's calls cost, from the journal; or project what they would cost."""
    keys = _keys(by)
    period = (_day(since), _day(until))
    if project is not None:
        if ref is not None:
            raise CommandError("a month is projected from all bookings, not from one", status=USAGE)
        calls = [] if example else _calls(context, store, None, period, missing_is_empty=True)
        _project(context, calls, _counts(project), _names(models), corrections, as_json=as_json)
        return
    calls = _calls(context, store, ref, period)
    keys = ["purpose"] if ref is not None and by == "day,tenant,model,purpose" else keys
    if as_json:
        print_json(_as_json(calls, keys, of_one=ref is not None))
    else:
        _draw(calls, keys)


def _calls(
    context: typer.Context,
    store: str | None,
    ref: str | None,
    period: tuple[UtcMs | None, UtcMs | None],
    *,
    missing_is_empty: bool = False,
) -> list[ModelCall]:
    async def ask(reader: JournalReader) -> list[ModelCall]:
        workflow_id = None if ref is None else (await resolve(reader, ref))[0]
        return await reader.model_calls(since=period[0], until=period[1], workflow_id=workflow_id)

    try:
        return options.with_store(context, store, ask)
    except JournalUnavailableError:
        if missing_is_empty:
            return []  # a projection needs no store: the worked example's assumptions do
        raise


def _as_json(calls: Sequence[ModelCall], keys: Sequence[str], *, of_one: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "total": totals_of(calls).to_json(),
        "by": {key: {name: sums.to_json() for name, sums in grouped(calls, key).items()} for key in keys},
        "refused": never_sent(calls),
        "cold_models": cold_models(calls),
    }
    if of_one:
        told["calls"] = [
            {
                "at": format_instant(call.at),
                "model": call.model,
                "purpose": call.purpose,
                "attempt": call.attempt,
                "answered": call.answered,
                "usage": call.usage.to_json(),
                "latency_ms": call.latency_ms,
                "first_token_ms": call.first_token_ms,
                "waited_ms": call.waited_ms,
                "stop_reason": call.stop_reason,
                "failure": call.failure_code or None,
            }
            for call in calls
        ]
    return told


def _draw(calls: Sequence[ModelCall], keys: Sequence[str]) -> None:
    console = screen()
    totals = totals_of(calls)
    if not totals.calls:
        console.print("No model calls. A booking that is planned makes one.", markup=False)
        return
    for key in keys:
        console.print(_table(key, grouped(calls, key)))
    console.print(_summary(totals))
    refused = never_sent(calls)
    if refused:
        listed = ", ".join(f"{code} {count}" for code, count in sorted(refused.items()))
        console.print(Text(f"Refused before anything was billed: {listed}", "dim"))
    for model in cold_models(calls):
        print_error(
            f"[yellow]Warning:[/] {model} never read from the prompt cache: its prompt is too short for the cache, or "
            "changes with every call."
        )


def _table(key: str, groups: dict[str, Totals]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(key)
    for column in ("bookings", "calls", "in", "out", "cached", "p50 ms", "retries", "corrections", "USD"):
        table.add_column(column, justify="right")
    for name, sums in groups.items():
        latency = sums.to_json()["latency_ms"]["p50"]
        table.add_row(
            Text(name),
            str(len(sums.bookings)),
            str(sums.calls),
            f"{sums.input_tokens:,}",
            f"{sums.output_tokens:,}",
            _percent(sums.cache_hit_rate),
            "" if latency is None else str(latency),
            usd_text(sums.repeated_usd),
            usd_text(sums.corrections_usd),
            _priced(sums),
        )
    table.add_row()
    return table


def _summary(totals: Totals) -> Text:
    bookings = len(totals.bookings)
    text = Text(f"{_priced(totals)} USD for {totals.calls} calls, {bookings} bookings", "bold")
    if totals.usd and bookings:
        text.append(f"; {usd_text(totals.usd / bookings)} a booking", "bold")
    text.append(
        f". Retries {usd_text(totals.repeated_usd)}, corrections {usd_text(totals.corrections_usd)}. "
        f"{_percent(totals.cache_hit_rate)} of the input came from the prompt cache."
    )
    if totals.unpriced:
        text.append(f" {totals.unpriced} calls have no known price and are not in the sum.", "yellow")
    return text


def _project(
    context: typer.Context,
    calls: Sequence[ModelCall],
    counts: list[int],
    wanted: list[str],
    corrections: float | None,
    *,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from jada_orchestrator.service import projection
    from jada_orchestrator.service.model_access import prices_of
    from jada_orchestrator.service.refusals import configuration_checked
    from jada_orchestrator.service.wiring import known_models

    with configuration_checked():
        prices, known = prices_of(options.loaded(context).settings), known_models()
    assumptions = projection.measured(calls, known) or projection.Assumptions()
    if corrections is not None:
        assumptions = replace(assumptions, corrections=corrections)
    on = datetime.fromtimestamp(now_ms() / 1_000, UTC).date()
    names = wanted or prices.models()
    found = projection.project(names, counts, assumptions, prices=prices, known=known, on=on)
    if as_json:
        print_json({"assumptions": assumptions.to_json(), "models": [each.to_json() for each in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model")
    for column in ("corrections", "USD a request", *(f"{count:,} a day: USD a month" for count in counts)):
        table.add_column(column, justify="right")
    for each in found:
        months = ["unknown" if usd is None else f"{usd:,.0f}" for usd in each.months.values()]
        usd = "unknown" if each.usd_per_request is None else f"{each.usd_per_request:.4f}"
        table.add_row(Text(each.model), f"{each.corrections:.2f}", usd, *months)
    console = screen()
    console.print(table)
    said = assumptions
    console.print(
        Text(
            f"\nFrom {said.source}: {said.prompt_tokens} tokens of prompt ({said.cached_share:.0%} from the cache), "
            f"{said.request_tokens} of request, {said.plan_tokens} of plan; 30 days a month; prices of {on}.",
            "dim",
        )
    )


def usd_text(usd: Decimal) -> str:
    """Return a sum for people: cents where they matter, more digits where the sum is small."""
    return f"{usd:,.2f}" if usd >= 1 else f"{usd:.4f}" if usd else "0"


def _priced(sums: Totals) -> str:
    if sums.unpriced == sums.calls:
        return "unknown"
    return usd_text(sums.usd) + (" + unknown" if sums.unpriced else "")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _keys(text: str) -> list[str]:
    keys = _names(text)
    unknown = [key for key in keys if key not in KEYS]
    if unknown:
        raise CommandError(f"nothing is grouped by {unknown[0]!r}", hint=f"There are: {', '.join(KEYS)}.", status=USAGE)
    return keys


def _names(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in _names(text)]
    except ValueError as error:
        raise CommandError(f"{text!r} are no numbers; write 100,1000", status=USAGE) from error
    if not counts or min(counts) < 1:
        raise CommandError("name at least one number of requests a day", status=USAGE)
    return counts


def _day(text: str | None) -> UtcMs | None:
    """Return the beginning of a day in UTC."""
    if text is None:
        return None
    try:
        instant = parse_instant(f"{text}T00:00:00Z")
    except ValueError as error:
        raise CommandError(f"{text!r} is no day; write 2026-11-23", status=USAGE) from error
    assert instant % DAY_MS == 0
    return instant
