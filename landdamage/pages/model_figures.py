"""How pages say what a model is and gets right: names of scores, columns of a comparison, roles in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from landdamage.models import ModelScore
from landdamage.selectors.trained_models import MEANS, MORE_MEANS

MEAN_NAMES = {
    "miou_foreground": gettext_lazy("mean IoU"),
    "mrecall_foreground": gettext_lazy("mean recall"),
    "mprecision_foreground": gettext_lazy("mean precision"),
    "mdice_foreground": gettext_lazy("mean Dice"),
    "miou_with_background": gettext_lazy("mean IoU with background"),
    "overall_accuracy": gettext_lazy("overall accuracy"),
    "kappa": gettext_lazy("kappa"),
    "boundary_f1": gettext_lazy("boundary F1 (3 px)"),
    "polygon_accuracy": gettext_lazy("polygons right"),
}
MEASURES = {
    "iou": gettext_lazy("IoU"),
    "recall": gettext_lazy("Recall"),
    "precision": gettext_lazy("Precision"),
    "dice": gettext_lazy("Dice"),
}
TIERS = {
    "fine": gettext_lazy("finer than 1 m"),
    "metre": gettext_lazy("1-5 m"),
    "ten-metre": gettext_lazy("5 m and coarser"),
}


def key_of(text: str | None) -> UUID | None:
    """A key as a form sent it; None where it is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def role_name(role: str) -> str:
    """A role in words: resolution and the bands it needs."""
    tier, _sign, bands = role.partition("/")
    first, *others = bands.split("+")
    return _("%(tier)s, bands %(bands)s") % {"tier": TIERS.get(tier, tier), "bands": ",".join([*first, *others])}


@dataclass(frozen=True, slots=True)
class Column:
    """A model's score as a column of a comparison."""

    score: ModelScore

    @property
    def model(self) -> Any:
        """Whose score."""
        return self.score.model

    @property
    def means(self) -> list[float | None]:
        """In the order of ``mean_rows``."""
        return [self.score.metrics.get(name) for name in (*MEANS, *MORE_MEANS)]


def columns_of(scores: Sequence[ModelScore]) -> list[Column]:
    """Scores as columns."""
    return [Column(score) for score in scores]


def mean_rows(
    columns: Sequence[Column], difference: dict[str, list[float | None]] | None = None
) -> list[dict[str, Any]]:
    """Every mean score by row: its name, each column's value and interval, which is best, and the difference."""
    rows = []
    for name in (*MEANS, *MORE_MEANS):
        values = [column.score.metrics.get(name) for column in columns]
        known = [value for value in values if value is not None]
        if not known:
            continue
        best = max(known) if len(known) > 1 and max(known) > min(known) else None
        cells = [
            {
                "value": value,
                "interval": column.score.metrics.get(f"{name}_95"),
                "best": best is not None and value == best,
            }
            for column, value in zip(columns, values, strict=True)
        ]
        rows.append({"name": MEAN_NAMES[name], "cells": cells, "difference": (difference or {}).get(name)})
    return rows
