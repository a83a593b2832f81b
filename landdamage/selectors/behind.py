"""The cells behind a figure of the books: which rows of an edition a column and a damage kind add up."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from django.db.models import Q

from landdamage.accounting.states import DAMAGE, KIND_OF, KINDS, Flow, State

_STATES: Final = MappingProxyType(
    {kind: [state.code for state in DAMAGE if KIND_OF[state] == kind] for kind in KINDS}
    | {"": [state.code for state in DAMAGE]}
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the yearly account.

    Attributes:
        flow: the flow it counts; None for the stocks, which count every flow.
        side: the field whose state has the damage kind.
    """

    flow: Flow | None
    side: Literal["prev_state", "obs_state", "new_state"]


COLUMNS: Final = MappingProxyType(
    {
        "opening": Column(None, "prev_state"),
        "new": Column(Flow.NEW, "new_state"),
        "first_seen": Column(Flow.FIRST_SEEN, "new_state"),
        "adj_plus": Column(Flow.OMISSION, "new_state"),
        "restored": Column(Flow.RESTORED, "prev_state"),
        "adj_minus": Column(Flow.CORRECTED, "prev_state"),
        "moved_in": Column(Flow.RECLASS, "new_state"),
        "moved_out": Column(Flow.RECLASS, "prev_state"),
        "exit": Column(Flow.EXIT, "prev_state"),
        "closing": Column(None, "new_state"),
        "pending": Column(Flow.PENDING, "prev_state"),
        "carried": Column(Flow.CARRIED, "prev_state"),
        "undecided": Column(Flow.UNDECIDED, "obs_state"),
    }
)


def behind(column: str = "", kind: str = "", state: str = "") -> Q:
    """The condition on cells.

    Args:
        column: a key of ``COLUMNS``; empty for every cell that tells something (plain ground is left out).
        kind: damage kind; empty for all.
        state: one state instead of a whole kind, on the side that the column counts.

    Raises:
        KeyError: no such column or kind.
        ValueError: ``state`` is not a state.
    """
    if state and state not in {known.code for known in State}:
        raise ValueError(state)
    if not column:
        shown = ~Q(flow__in=[Flow.PLAIN.value, Flow.EXIT.value])
        states = [state] if state else _STATES[kind]
        anywhere = Q(prev_state__in=states) | Q(obs_state__in=states) | Q(new_state__in=states)
        return shown & anywhere if kind or state else shown
    chosen = COLUMNS[column]
    condition = Q(**{f"{chosen.side}__in": [state] if state else _STATES[kind]})
    if chosen.flow is not None:
        condition &= Q(flow=chosen.flow.value)
    elif column == "closing":
        condition &= ~Q(flow=Flow.EXIT.value)
    return condition
