"""What follows from a catalogue alone, kept because bookings over it repeat the same actions for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jada_orchestrator.domain.catalogue import Action, Catalogue
from jada_orchestrator.domain.house import HOUSE, HOUSE_ACTIONS
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.plan import Terms
from jada_orchestrator.planning.kinds import Kind, KindKey

_CATALOGUES_KEPT: Final = 8
_TERMS_KEPT: Final = 256
_KINDS_KEPT: Final = 256
"""Some ten kilobytes each."""


@dataclass(frozen=True, slots=True)
class CatalogueFacts:
    """What is known of one catalogue by now."""

    catalogue: Catalogue
    lookups: frozenset[ActionName]
    """Actions that ask after lost calls."""
    terms: dict[tuple[ActionName, ...], dict[ActionName, Terms]] = field(default_factory=dict)
    """By the actions of a plan. Plans of one kind share them; nobody changes them."""
    kinds: dict[KindKey, Kind] = field(default_factory=dict)
    """The kinds of plans that were compiled over it without a fault."""

    def terms_of(self, wanted: Sequence[ActionName]) -> dict[ActionName, Terms]:
        """Return the terms of these actions, of what undoes them, and of the lookups of all of those."""
        key = tuple(dict.fromkeys(wanted))
        terms = self.terms.get(key)
        if terms is None:
            if len(self.terms) >= _TERMS_KEPT:
                self.terms.clear()
            terms = self.terms[key] = _terms_of_all(key, self.catalogue)
        return terms

    def remember(self, key: KindKey, kind: Kind) -> None:
        """Keep what was proven of a kind of plan."""
        if len(self.kinds) >= _KINDS_KEPT:
            self.kinds.clear()
        self.kinds[key] = kind


_known: Final[dict[int, CatalogueFacts]] = {}
"""By the identity of the catalogue, which is kept beside so that its identity is not used again."""


def facts_about(catalogue: Catalogue) -> CatalogueFacts:
    """Return what is known of a catalogue."""
    known = _known.get(id(catalogue))
    if known is None:
        while len(_known) >= _CATALOGUES_KEPT:
            _known.pop(next(iter(_known)), None)
        lookups = frozenset(action.lookup for action in catalogue.actions.values() if action.lookup is not None)
        known = _known[id(catalogue)] = CatalogueFacts(catalogue, lookups)
    return known


def _terms_of_all(wanted: Sequence[ActionName], catalogue: Catalogue) -> dict[ActionName, Terms]:
    terms: dict[ActionName, Terms] = {}
    actions = {**HOUSE_ACTIONS, **catalogue.actions}
    undoing = [
        action.compensate.action for action in (actions[name] for name in wanted) if action.compensate is not None
    ]
    for name in dict.fromkeys([*wanted, *undoing]):
        for called in (name, actions[name].lookup):
            if called is not None and called in actions:
                terms[called] = _terms_of(actions[called], catalogue)
    return terms


def _terms_of(action: Action, catalogue: Catalogue) -> Terms:
    return Terms(
        action=action.name,
        agent=action.agent,
        via="house" if action.agent == HOUSE else catalogue.transport_of(action.name).kind,
        effect=action.effect,
        timeout_ms=action.timeout_ms,
        retry=action.retry,
        idempotent=action.idempotent,
        irreversible=action.irreversible,
        lookup=action.lookup,
        compensate=action.compensate,
        amount=action.amount,
        replan_on=action.replan_on,
    )
