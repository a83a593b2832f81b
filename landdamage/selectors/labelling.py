"""Reads of labels on superpixels: plates a person may label, what has been said, and the raster of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.db.models import QuerySet

from landdamage.learning.superpixels.cut import Place, read_segments
from landdamage.learning.superpixels.raster import label_raster
from landdamage.learning.superpixels.sheet import UNSURE, Sheet, painted, shares
from landdamage.models import LabelPlate, LabelSheet, Scene
from landdamage.services.files import file_path
from landdamage.services.labelling import place_of
from minegis.access.models import User
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.registry.models import Region


def plates_visible(user: User) -> QuerySet[LabelPlate]:
    """Plates a person may label, newest first."""
    found: QuerySet[LabelPlate] = LabelPlate.objects.visible_to(user)
    return found.select_related("scene__region", "job", "run", "created_by").order_by("-created_at")


def sheet_of(plate: LabelPlate, person: User) -> LabelSheet:
    """What a person said; an empty sheet, not stored, where they have not begun."""
    return plate.sheets.filter(person=person).first() or LabelSheet(plate=plate, person=person)


def labels_of(sheet: LabelSheet) -> dict[int, int]:
    """Superpixel -> class id or 255 for unsure."""
    return Sheet.read(bytes(sheet.log)).labels


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a person is: superpixels and share of the ground (0-1) they spoke of, and share per label."""

    done: int
    known: int
    share: float
    shares: dict[int, float]


def progress(plate: LabelPlate, sheet: LabelSheet) -> Progress:
    """How much of a plate a sheet speaks of."""
    labels = labels_of(sheet)
    by_label = shares(labels, dict(enumerate(plate.pixels, 1))) if plate.pixels else {}
    return Progress(len(labels), len(plate.pixels), sum(by_label.values()), by_label)


def order_of(plate: LabelPlate) -> list[int]:
    """Superpixels in the order in which they are offered: where the run was least sure first, else as they lie."""
    numbers = range(1, len(plate.pixels) + 1)
    if not plate.doubt:
        return list(numbers)
    return sorted(numbers, key=lambda number: (-plate.doubt[number - 1], number))


def labelled_sheets(region: Region, years: Sequence[int] = (), scenes: Sequence[str] = ()) -> list[LabelSheet]:
    """Sheets with at least one class on usable scenes of a region and of all below it."""
    found = LabelSheet.objects.filter(
        plate__state=LabelPlate.State.READY,
        plate__scene__state__in=Scene.USABLE,
        plate__scene__region__code__startswith=region_prefix(region.code),
        version__gt=0,
    )
    if years:
        found = found.filter(plate__scene__acquired_on__year__in=list(years))
    if scenes:
        found = found.filter(plate__scene__in=list(scenes))
    rows = found.select_related("plate__scene").order_by("plate__scene__acquired_on", "plate__scene", "pk")
    return [sheet for sheet in rows if any(label != UNSURE for label in labels_of(sheet).values())]


def windows_of(sheets: Iterable[tuple[LabelSheet, int]]) -> list[tuple[Place, np.ndarray]]:
    """Window and painted labels of sheets at their versions, as ``label_raster`` takes them."""
    found = []
    for sheet, version in sheets:
        segments = read_segments(file_path(sheet.plate.segments_sha256))
        labels = Sheet.read(bytes(sheet.log), version).labels
        found.append((place_of(sheet.plate), painted(segments, labels)))
    return found


def sheet_raster(sheet: LabelSheet) -> bytes:
    """A sheet as a GeoTIFF on the grid of its scene: class ids, 255 where nothing or "unsure" was said.

    Raises:
        MineGISError: E-LAB-05, nothing has been labelled.
    """
    if not sheet.version:
        raise MineGISError("E-LAB-05")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.tif"
        label_raster(file_path(sheet.plate.scene.cog_sha256), path, windows_of([(sheet, sheet.version)]))
        return path.read_bytes()
