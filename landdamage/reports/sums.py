"""Sums of an edition's cells in exact cm², by any grouping: the ground every table stands on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from landdamage.accounting.states import DAMAGE, KIND_OF, RESTORED, Flow, State
from landdamage.reports.data import EditionData

MEASURES = (
    "monitored", "observed", "opening", "new", "first_seen", "adj_plus", "restored", "adj_minus", "moved_in",
    "moved_out", "exit", "closing", "pending", "carried", "undecided", "redamaged", "restored_stock", "outside",
)  # fmt: skip
_DAMAGE = frozenset(state.code for state in DAMAGE)
_RESTORED = frozenset(state.code for state in RESTORED)
_KIND = {state.code: kind for state, kind in KIND_OF.items()}
_KEYS = [
    "mine_id", "region_code", "prev_state", "obs_state", "new_state", "flow", "redamaged", "outside_licence",
]  # fmt: skip


def compact(data: EditionData) -> pd.DataFrame:
    """The cells added up to one row per mine, region and history, with one column of cm² per measure.

    Returns:
        int64 columns ``MEASURES`` beside ``mine_id``, ``region_code`` ("" for none), ``prev_state``, ``new_state``,
        ``flow``, and ``before``, ``after``: the damage kinds ("" for none).
    """
    cells = pd.DataFrame(data.cells[[*_KEYS, "area_cm2"]])
    for name in ("mine_id", "region_code"):
        cells[name] = cells[name].fillna("").astype(str)
    rows = cells.groupby(_KEYS, sort=True, observed=True)["area_cm2"].sum().reset_index()
    area, flow = rows["area_cm2"].astype("int64"), rows["flow"]
    prev, new = rows["prev_state"], rows["new_state"]
    was, is_ = prev.isin(_DAMAGE), new.isin(_DAMAGE)
    rows["before"], rows["after"] = prev.map(_KIND).fillna(""), new.map(_KIND).fillna("")
    inside = new != State.OUTSIDE.code
    masks = {
        "monitored": inside,
        "observed": inside & (rows["obs_state"] != State.NOOBS.code),
        "opening": was,
        "new": is_ & (flow == Flow.NEW),
        "first_seen": is_ & (flow == Flow.FIRST_SEEN),
        "adj_plus": is_ & (flow == Flow.OMISSION),
        "restored": was & (flow == Flow.RESTORED),
        "adj_minus": was & (flow == Flow.CORRECTED),
        "moved_in": is_ & (flow == Flow.RECLASS),
        "moved_out": was & (flow == Flow.RECLASS),
        "exit": was & (flow == Flow.EXIT),
        "closing": is_,
        "pending": was & (flow == Flow.PENDING),
        "carried": was & (flow == Flow.CARRIED),
        "undecided": flow == Flow.UNDECIDED,
        "redamaged": prev.isin(_RESTORED) & rows["redamaged"].astype(bool),
        "restored_stock": new.isin(_RESTORED),
        "outside": is_ & rows["outside_licence"].astype(bool),
    }
    for name, mask in masks.items():
        rows[name] = area.where(mask, 0)
    return rows


def by(rows: pd.DataFrame, keys: str | Sequence[str]) -> dict[Any, dict[str, int]]:
    """Measures in cm² per group of a compacted frame (Python integers)."""
    sums = rows.groupby(keys if isinstance(keys, str) else list(keys), sort=True)[list(MEASURES)].sum()
    return {key: dict(zip(MEASURES, map(int, values), strict=True)) for key, values in _pairs(sums)}


def total(rows: pd.DataFrame) -> dict[str, int]:
    """Measures in cm² of everything."""
    return {name: int(rows[name].sum()) for name in MEASURES}


def _pairs(frame: pd.DataFrame) -> list[tuple[Any, list[int]]]:
    return list(zip(frame.index, frame.to_numpy().tolist(), strict=True))
