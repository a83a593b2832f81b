"""Reads of the land-damage application: figures of one interpretation or year, and the editions of the books."""

from landdamage.selectors.figures import (
    DAMAGE_ORDER,
    AreaRow,
    KindRow,
    MineRow,
    Overview,
    YearSums,
    counted_runs,
    empty_areas,
    overview,
    readable_patches,
    run_areas,
    run_kinds,
    waiting,
    year_sums,
    years,
)

__all__ = [
    "DAMAGE_ORDER",
    "AreaRow",
    "KindRow",
    "MineRow",
    "Overview",
    "YearSums",
    "counted_runs",
    "empty_areas",
    "overview",
    "readable_patches",
    "run_areas",
    "run_kinds",
    "waiting",
    "year_sums",
    "years",
]
