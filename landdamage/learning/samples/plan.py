"""Which windows become tiles of which set: regions, split, distance between sets, share of background.

Planning looks at labels only; pixels are read when the tiles are cut.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landdamage.learning.samples.labels import BACKGROUND
from landdamage.learning.samples.look import EVAL, TRAIN, Seen, Windows
from landdamage.learning.samples.params import S2_COPIES, Params
from landdamage.learning.samples.regions import joined, near_pairs
from landdamage.learning.samples.split import as_in_the_paper, assign, split_findings
from landdamage.taxonomy import NETWORK_CLASS_COUNT
from minegis.errors import Finding, SampleSetError

ENOUGH_BACKGROUND: Final = 0.5  # of a background tile must be known to be background


@dataclass(frozen=True, slots=True)
class Planned:
    """A tile to be cut; ``copy`` > 0 is an augmented copy of it."""

    image: int
    grid: str
    row: int
    column: int
    set: str
    region: str
    labelled: bool
    footprint: tuple[tuple[float, float], ...]
    copy: int = 0

    def name(self, image: str) -> str:
        """Id of the tile."""
        mark = {TRAIN: "t", EVAL: "e"}[self.grid]
        return f"{image}-{mark}{self.row:05d}-{self.column:05d}" + (f"-copy{self.copy}" if self.copy else "")


@dataclass(frozen=True)
class Plan:
    """Tiles to be cut, what was found on the way, and how the split came out.

    Attributes:
        tiles: to be cut.
        originals: class id -> (objects, windows of the training grid, pixels) before anything is chosen.
        findings: what there is to say.
        report: for people: regions and objects per set, tiles left out.
    """

    tiles: list[Planned]
    originals: dict[int, tuple[int, int, int]]
    findings: list[Finding]
    report: dict[str, Any]


def plan(seen: Seen, params: Params) -> Plan:
    """Choose the tiles and their sets.

    Raises:
        SampleSetError: E-SET-01 nothing is labelled; E-SET-03 too few regions.
        MineGISError: the first error among the material's findings.
    """
    for finding in seen.findings:
        if finding.severity == "error":
            raise SampleSetError(finding.code, **finding.values)
    windows = seen.windows
    share = windows.pixels[:, 1:NETWORK_CLASS_COUNT].sum(axis=1) / params.tile**2
    labelled = (share >= params.least_labelled) & (share > 0)
    if not labelled.any():
        raise SampleSetError("E-SET-01")
    background = ~labelled & (windows.pixels[:, BACKGROUND] >= ENOUGH_BACKGROUND * params.tile**2)
    originals = _originals(seen)
    if params.split == "s2":
        return _as_in_the_paper(seen, params, labelled, background, originals)
    group_of = {str(key): str(key) for key in np.unique(windows.region)}
    if params.overlaps == "join":
        group_of |= joined(windows.region, windows.footprint, params.gap_m)
    groups = np.array([group_of[key] for key in windows.region.tolist()])
    counts = _counts(seen, group_of, groups[labelled | background])
    sets = assign(counts, params.shares, params.seed)
    findings = [*seen.findings, *split_findings(counts, sets, params.sets)]
    own = np.array([sets.get(group, "") for group in groups.tolist()])
    on_its_grid = (own == "train") == (windows.grid == TRAIN)
    fitting = (own != "") & (on_its_grid | bool(params.folds))
    candidates = np.flatnonzero(fitting & (labelled | background))
    # Test and validation keep their windows where sets come near each other: training has more to lose.
    first = {name: 0 if params.folds else rank for rank, name in enumerate(reversed(params.sets))}
    turn = np.array([first.get(name, 0) for name in own.tolist()])
    order = _order(windows, candidates, labelled, turn, params.seed)
    kept, left_out = _apart(windows, order, own, params)
    kept = _with_background(kept, labelled, own, windows, params)
    if left_out:
        values = {"value": left_out, "distance": f"{params.gap_m:.0f}"}
        findings.append(Finding("E-SET-17", "tiles", values))
    report = {
        "regions": {name: sorted(key for key, value in sets.items() if value == name) for name in params.sets},
        "objects": {
            name: sum((counts[key] for key, value in sets.items() if value == name), np.zeros(NETWORK_CLASS_COUNT))
            .astype(int)
            .tolist()
            for name in params.sets
        },
        "left_out_near_other_sets": left_out,
    }
    tiles = [_planned(windows, i, str(own[i]), str(groups[i]), bool(labelled[i])) for i in sorted(kept)]
    return Plan(tiles, originals, findings, report)


def _counts(seen: Seen, group_of: dict[str, str], groups: NDArray[np.str_]) -> dict[str, NDArray[np.int64]]:
    """Objects per class of every group that has a window worth keeping."""
    counts = {str(group): np.zeros(NETWORK_CLASS_COUNT, np.int64) for group in np.unique(groups)}
    for things, regions in zip(seen.things, seen.regions, strict=True):
        for class_id, region in zip(things.class_id.tolist(), regions.tolist(), strict=True):
            group = group_of.get(region, region)
            if group in counts:
                counts[group][class_id] += 1
    return counts


def _originals(seen: Seen) -> dict[int, tuple[int, int, int]]:
    on_train = seen.windows.grid == TRAIN
    out = {}
    for class_id in range(1, NETWORK_CLASS_COUNT):
        objects = sum(int((t.class_id == class_id).sum()) for t in seen.things)
        pixels = sum(float(t.pixels[t.class_id == class_id].sum()) for t in seen.things)
        out[class_id] = (objects, int((seen.windows.pixels[on_train, class_id] > 0).sum()), round(pixels))
    return out


def _rank(windows: Windows, index: int, seed: int) -> str:
    """A number that depends on the window and the seed alone: the same windows are chosen whatever their order."""
    text = f"{seed}/{windows.image[index]}/{windows.grid[index]}/{windows.row[index]}/{windows.column[index]}"
    return hashlib.sha256(text.encode()).hexdigest()


def _order(
    windows: Windows, candidates: NDArray[np.intp], labelled: NDArray[np.bool_], turn: NDArray[np.int64], seed: int
) -> list[int]:
    """Labelled windows first, then by ``turn``, then by chance."""
    ranked = [(not labelled[i], turn[i], _rank(windows, i, seed), i) for i in candidates.tolist()]
    return [index for *_, index in sorted(ranked)]


def _apart(windows: Windows, order: list[int], own: NDArray[np.str_], params: Params) -> tuple[list[int], int]:
    """Windows, in order, that come near no earlier one of another set; and how many do."""
    indexes = np.array(order, np.intp)
    left, right, _ = near_pairs(windows.footprint[indexes], own[indexes], params.gap_m)
    rivals: dict[int, list[int]] = {}
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        rivals.setdefault(max(a, b), []).append(min(a, b))
    stays = np.zeros(len(order), bool)
    for position in range(len(order)):
        stays[position] = not any(stays[rival] for rival in rivals.get(position, ()))
    return indexes[stays].tolist(), int((~stays).sum())


def _with_background(
    kept: list[int], labelled: NDArray[np.bool_], own: NDArray[np.str_], windows: Windows, params: Params
) -> list[int]:
    """All labelled windows and as many background ones as their share of each set allows, in the order given."""
    chosen: dict[tuple[str, str], int] = {}
    for index in kept:
        if labelled[index]:
            key = (str(own[index]), str(windows.grid[index]))
            chosen[key] = chosen.get(key, 0) + 1
    room = {key: most_background(count, params.most_background) for key, count in chosen.items()}
    out = []
    for index in kept:
        key = (str(own[index]), str(windows.grid[index]))
        if not labelled[index]:
            if room.get(key, 0) <= 0:
                continue
            room[key] -= 1
        out.append(index)
    return out


def most_background(labelled: int, share: float) -> int:
    """How many background tiles make up at most ``share`` of a set with that many labelled ones."""
    return int(share / (1 - share) * labelled + 1e-9)


def _planned(windows: Windows, index: int, name: str, region: str, labelled: bool, copy: int = 0) -> Planned:
    ring = tuple((round(x, 8), round(y, 8)) for x, y in windows.footprint[index].exterior.coords)
    return Planned(
        int(windows.image[index]),
        str(windows.grid[index]),
        int(windows.row[index]),
        int(windows.column[index]),
        name,
        region,
        labelled,
        ring,
        copy,
    )


def _as_in_the_paper(
    seen: Seen,
    params: Params,
    labelled: NDArray[np.bool_],
    background: NDArray[np.bool_],
    originals: dict[int, tuple[int, int, int]],
) -> Plan:
    """Every tile and two augmented copies of it, drawn at random: what the source paper did, and why it leaks."""
    windows = seen.windows
    one = np.full(len(windows.row), "")
    nobody = np.zeros(len(one), np.int64)
    order = _order(windows, np.flatnonzero(labelled | background), labelled, nobody, params.seed)
    kept = sorted(_with_background(order, labelled, one, windows, params))
    names = as_in_the_paper(S2_COPIES * len(kept), params.seed)
    turns = [(index, copy) for index in kept for copy in range(S2_COPIES)]
    tiles = [
        _planned(windows, index, str(name), str(windows.region[index]), bool(labelled[index]), copy)
        for (index, copy), name in zip(turns, names, strict=True)
    ]
    findings = [*seen.findings, Finding("E-SET-19", "split")]
    return Plan(tiles, originals, findings, {"regions": {}, "objects": {}, "left_out_near_other_sets": 0})
