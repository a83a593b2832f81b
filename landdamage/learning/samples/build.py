"""Build a sample set: look at the labels, plan the tiles, cut them, prove that nothing leaks, write the index.

Whatever is finished lies in the work folder, so a build that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from landdamage.learning.samples import leaks, table
from landdamage.learning.samples.images import OpenImage, open_image, safe_name
from landdamage.learning.samples.labels import BACKGROUND, Labels, Things, count_pixels
from landdamage.learning.samples.likeness import fingerprint
from landdamage.learning.samples.look import EVAL, look
from landdamage.learning.samples.material import Material
from landdamage.learning.samples.params import Params
from landdamage.learning.samples.plan import ENOUGH_BACKGROUND, Plan, Planned, most_background, plan
from landdamage.learning.samples.sampleset import INDEX, ImageFacts, SampleSet, write_json
from landdamage.learning.samples.tiles import (
    Tile,
    content_sha256,
    image_path,
    label_path,
    write_tile,
)
from landdamage.taxonomy import IGNORE, NETWORK_CLASS_COUNT
from minegis.errors import Finding, SampleSetError

Progress = Callable[[str, float], object]
_LOOK: Final = 0.2  # of the work
_WHEN_DONE: Final = 0o440


def build(
    material: Material,
    params: Params,
    folder: Path,
    *,
    name: str = "",
    named: Sequence[tuple[str, BaseGeometry]] = (),
    work: Path | None = None,
    progress: Progress = lambda stage, share: None,
) -> SampleSet:
    """Build a sample set.

    Args:
        material: images and labels.
        params: how.
        folder: where the finished set shall lie; must not exist or be empty.
        name: its owner's name for it.
        named: regions as (key, polygon in EPSG:4490), for ``regions="mine"``.
        work: folder of unfinished work, on the same disk; defaults to ``folder`` with ``.part`` added. What lies there
            of an earlier attempt with the same material and parameters is used.
        progress: called with the stage and the share done; what it raises ends the build, which can be taken up again.

    Returns:
        The finished set, in ``folder``.

    Raises:
        SampleSetError: E-SET-*.
        MineGISError: an image or a label file cannot be used.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SampleSetError("E-SET-15", value=folder.name)
    if not material.images:
        raise SampleSetError("E-SET-27")
    names = [image.name for image in material.images]
    if len(set(names)) < len(names) or any(safe_name(one) != one for one in names):
        raise ValueError("images need unique names that a file may have")
    work = work or folder.with_name(f"{folder.name}.part")
    work.mkdir(parents=True, exist_ok=True)
    _same_work(work, material, params)
    progress("look", 0.0)
    seen = look(material, params, named, lambda share: progress("look", _LOOK * share))
    made = plan(seen, params)
    things = {image.name: found for image, found in zip(material.images, seen.things, strict=True)}
    images = _cut(material, params, made, work, lambda share: progress("tiles", _LOOK + (0.9 - _LOOK) * share))
    progress("leaks", 0.9)
    _finish(material, params, made, images, things, work, name)
    progress("keep", 0.97)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rmdir()
    work.replace(folder)
    return SampleSet.open(folder)


def _same_work(work: Path, material: Material, params: Params) -> None:
    """Unfinished work of other material or parameters is thrown away."""
    about = {
        "params": params.as_dict(),
        "kind": material.kind,
        "images": [[image.name, image.sha256 or str(image.path)] for image in material.images],
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    mark = work / "work.json"
    if mark.exists() and json.loads(mark.read_text("utf-8")) == key:
        return
    shutil.rmtree(work)
    work.mkdir()
    write_json(mark, key)


def _cut(
    material: Material, params: Params, made: Plan, work: Path, progress: Callable[[float], object]
) -> dict[str, ImageFacts]:
    """Write every planned tile that is not there yet, with a note beside it."""
    by_image: dict[int, list[Planned]] = {}
    for planned in made.tiles:
        by_image.setdefault(planned.image, []).append(planned)
    facts: dict[str, ImageFacts] = {}
    done = 0
    for number, tiles in sorted(by_image.items()):
        source = material.images[number]
        with open_image(source, params.gsd_m, params.bands) as image, material.labels(image, params) as labels:
            stretch = image.stretch
            facts[source.name] = ImageFacts(
                image.grid.gsd_m,
                tuple(stretch.low.tolist()),
                tuple(stretch.high.tolist()),
                source.sensor,
                source.acquired.isoformat() if source.acquired else "",
                image.grid.crs.to_string(),
                source.sha256,
            )
            for planned in sorted(tiles, key=lambda t: (t.row, t.column, t.grid, t.copy)):
                progress(done / len(made.tiles))
                note = _note_path(work, planned.name(source.name))
                if not note.exists():
                    write_json(note, _cut_one(image, labels, planned, params, work))
                done += 1
    return facts


def _note_path(work: Path, tile_id: str) -> Path:
    return work / "notes" / f"{tile_id}.json"


def _cut_one(image: OpenImage, labels: Labels, planned: Planned, params: Params, work: Path) -> dict[str, Any] | None:
    """Cut and write one tile; None where the image shows too little of it."""
    side = params.tile
    pixels, valid = image.tile(planned.row, planned.column, side)
    classes = labels.window(planned.row, planned.column, side)
    classes[~valid] = IGNORE
    if not _worth_keeping(classes, planned.labelled, params):
        return None
    tile_id = planned.name(image.source.name)
    if planned.copy:
        from landdamage.learning.warp import STRONG, turned_copy  # torch takes seconds to load, and only copies need it

        rng = np.random.default_rng([params.seed, planned.row, planned.column, planned.copy])
        pixels, classes, valid = turned_copy(rng, pixels, classes, valid, STRONG)
    write_tile(
        work,
        tile_id,
        pixels,
        classes,
        valid,
        crs=image.dataset.crs,
        transform=image.grid.at(planned.row, planned.column),
    )
    (work / "notes").mkdir(exist_ok=True)
    source = image.source
    return Tile(
        tile_id,
        planned.set,
        planned.grid,
        planned.region,
        source.name,
        source.sensor,
        source.acquired.isoformat() if source.acquired else "",
        planned.row,
        planned.column,
        planned.labelled,
        tuple(count_pixels(classes).tolist()),
        content_sha256(pixels, classes, valid),
        fingerprint(pixels, valid, image.stretch),
        planned.footprint,
        tile_id.partition("-copy")[0],
    ).as_dict()


def _worth_keeping(classes: NDArray[np.uint8], labelled: bool, params: Params) -> bool:
    counts = count_pixels(classes)
    if labelled:
        shown = counts[1:NETWORK_CLASS_COUNT].sum()
        return bool(shown > 0 and shown >= params.least_labelled * classes.size)
    return bool(counts[BACKGROUND] >= ENOUGH_BACKGROUND * classes.size)


def _finish(
    material: Material,
    params: Params,
    made: Plan,
    images: dict[str, ImageFacts],
    things: dict[str, Things],
    work: Path,
    name: str,
) -> SampleSet:
    """Leave out twins and what background is too much, prove the rest, write the index, remove the notes."""
    notes = [
        json.loads(_note_path(work, planned.name(material.images[planned.image].name)).read_text("utf-8"))
        for planned in made.tiles
    ]
    tiles = sorted((Tile.from_dict(note) for note in notes if note), key=lambda tile: tile.id)
    findings = list(made.findings)
    report = {**made.report, "left_out_without_data": sum(note is None for note in notes)}
    if params.split == "region":
        alike = _twins_left_out(tiles, params)
        if alike:
            findings.append(Finding("E-SET-18", "tiles", {"value": len(alike)}))
        report["left_out_alike"] = len(alike)
        tiles = [tile for tile in tiles if tile.id not in alike]
    tiles = _least_background(tiles, params)
    for one in params.sets:
        if not any(tile.labelled for tile in tiles if tile.set == one):
            raise SampleSetError("E-SET-28", value=one)
    counted = [tile for tile in tiles if not params.folds or tile.grid == EVAL]  # a fold holds its ground twice
    rows = table.rows(counted, params.sets, made.originals, things, params.tile)
    sample_set = SampleSet(
        work,
        name,
        material.kind,
        params,
        {key: facts for key, facts in images.items() if any(tile.image == key for tile in tiles)},
        tuple(tiles),
        rows,
        [finding.as_dict() for finding in findings],
        report,
    )
    if not sample_set.leaky:
        leaks.check(sample_set)
    sample_set.save()
    _tidy(work, {tile.id for tile in tiles})
    return sample_set


def _twins_left_out(tiles: list[Tile], params: Params) -> set[str]:
    """Of two tiles of different sets that look the same: the one of training, else of the set named later.

    Windows of its image that overlap it go with it: they show the twin's ground too, only shifted.
    """
    rank = {name: position for position, name in enumerate(params.sets)}
    losers = [
        one if (one.set == "train", rank[one.set]) > (other.set == "train", rank[other.set]) else other
        for one, other in leaks.twin_pairs(tiles)
    ]
    out: set[str] = set()
    for image in {tile.image for tile in losers}:
        own = [tile for tile in losers if tile.image == image]
        places = np.array([(tile.row, tile.column) for tile in own])
        for tile in tiles:
            if tile.image == image and tile.set in {loser.set for loser in own}:
                apart = np.abs(places - (tile.row, tile.column)).max(axis=1)
                if apart.min() < params.tile:
                    out.add(tile.id)
    return out


def _least_background(tiles: list[Tile], params: Params) -> list[Tile]:
    """The tiles without the background that is too much once others have fallen away."""
    out = []
    for one in params.sets:
        for grid in sorted({tile.grid for tile in tiles}):
            own = [tile for tile in tiles if tile.set == one and tile.grid == grid]
            labelled = [tile for tile in own if tile.labelled]
            background = sorted((tile for tile in own if not tile.labelled), key=lambda tile: tile.sha256)
            out += labelled + background[: most_background(len(labelled), params.most_background)]
    return sorted(out, key=lambda tile: tile.id)


def _tidy(work: Path, kept: set[str]) -> None:
    """Only the tiles of the index and the index itself stay, read-only."""
    shutil.rmtree(work / "notes")
    (work / "work.json").unlink()
    wanted = {path(work, tile_id) for tile_id in kept for path in (image_path, label_path)}
    for path in (work / "tiles").iterdir():
        if path in wanted:
            path.chmod(_WHEN_DONE)
        else:
            path.unlink()
    (work / INDEX).chmod(_WHEN_DONE)
