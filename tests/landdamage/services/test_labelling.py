"""Labels on superpixels: the plate and its job, what each person says, undo, export, and sets made of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from django.db import IntegrityError, transaction
from rasterio.transform import from_origin

from landdamage.learning.samples.sampleset import SampleSet as Folder
from landdamage.learning.samples.tiles import read_labels
from landdamage.learning.superpixels.cut import read_segments
from landdamage.learning.superpixels.sheet import NONE, UNSURE
from landdamage.models import LabelPlate, LabelSheet, SampleSet
from landdamage.selectors.labelling import labels_of, order_of, progress, sheet_of, sheet_raster
from landdamage.services.files import file_path, files
from landdamage.services.labelling import labels_say, labels_undo, plate_request
from landdamage.services.sample_sets import sample_set_folder, sample_set_request
from minegis.errors import ConflictError, ForbiddenError, MineGISError
from tests.fixtures.labelled import EPSG, GSD, SIDE, origin
from tests.fixtures.sample_scenes import SMALL_SET

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]


def unsure_in_the_east(tmp_path: Path, run: Any, place: int) -> None:
    """Give a run a confidence raster: sure in the west, unsure in the east."""
    steps = np.full((SIDE, SIDE), 196, np.uint8)
    steps[:, 64:] = 110
    path = tmp_path / "confidence.tif"
    layout = {
        "driver": "GTiff",
        "crs": f"EPSG:{EPSG}",
        "transform": from_origin(*origin(place), GSD, GSD),
        "nodata": 255,
    }
    with rasterio.open(path, "w", count=1, dtype="uint8", height=SIDE, width=SIDE, **layout) as target:
        target.write(steps, 1)
        target.scales = (1 / 200,)
    run.confidence_sha256 = files().put(path).sha256
    run.save()


@pytest.fixture
def plate(mined: SimpleNamespace, tmp_path: Path, work_off: Callable[[], None]) -> LabelPlate:
    unsure_in_the_east(tmp_path, mined.runs[0], 0)
    made = plate_request(scene=mined.scenes[0], user=mined.interpreter, window=64, side_px=12)
    work_off()
    made.refresh_from_db()
    return made


def test_a_plate_lies_where_the_model_is_least_sure_and_begins_there(plate: LabelPlate, mined: SimpleNamespace) -> None:
    assert plate.state == "ready"
    assert (plate.column, plate.width, plate.height) == (32, 64, 64)
    segments = read_segments(file_path(plate.segments_sha256))
    assert segments.shape == (64, 64)
    assert plate.pixels == np.bincount(segments.ravel())[1:].tolist()
    order = order_of(plate)
    assert sorted(order) == list(range(1, len(plate.pixels) + 1))
    weights = np.bincount(segments.ravel(), (np.arange(64) >= 32).astype(float)[None].repeat(64, 0).ravel())[1:]
    assert set(order[:5]) <= set(1 + np.flatnonzero(weights > 0))
    doubts = [plate.doubt[number - 1] for number in order]
    assert doubts == sorted(doubts, reverse=True)


def test_without_a_run_the_middle_row_by_row(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    made = plate_request(scene=mined.scenes[1], user=mined.reviewer, window=64, side_px=12)
    assert (made.column, made.row, made.state) == (16, 16, "cutting")
    with pytest.raises(MineGISError, match="E-LAB-04"):
        labels_say(plate=made, user=mined.reviewer, version=0, labels=[(1, 1)])
    work_off()
    made.refresh_from_db()
    assert order_of(made) == list(range(1, len(made.pixels) + 1))
    assert made.doubt == []


def test_a_wish_that_cannot_be_met(mined: SimpleNamespace) -> None:
    def ask(**more: Any) -> LabelPlate:
        return plate_request(
            **{"scene": mined.scenes[0], "user": mined.interpreter, "window": 64, "side_px": 12, **more}
        )

    for wrong, code in (
        ({"at": (10.0, 10.0)}, "E-LAB-06"), ({"at": (500.0, 10.0)}, "E-LAB-06"), ({"window": 2000}, "E-LAB-01"),
        ({"side_px": 3}, "E-LAB-01"),
    ):  # fmt: skip
        with pytest.raises(MineGISError, match=code):
            ask(**wrong)
    for person in (mined.viewer, mined.stranger):
        with pytest.raises(ForbiddenError):
            ask(user=person)
    mined.scenes[0].state = "rejected"
    with pytest.raises(MineGISError, match="E-LAB-07"):
        ask()
    assert not LabelPlate.objects.exists()
    mined.scenes[0].state = "ready"
    _, south, east, north = mined.scenes[0].footprint.extent
    made = ask(at=(east - 1e-6, (south + north) / 2))
    assert made.column == SIDE - 64  # moved inside


def test_a_plate_without_data_fails_with_its_reason(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    scene = mined.scenes[2]
    with rasterio.open(file_path(scene.cog_sha256)) as source:
        profile = source.profile
    body = io.BytesIO()
    with rasterio.open(body, "w", **profile) as target:
        target.write(np.zeros((profile["count"], SIDE, SIDE), profile["dtype"]))
    body.seek(0)
    scene.cog_sha256 = files().put(body).sha256
    scene.save()
    made = plate_request(scene=scene, user=mined.interpreter, window=64, side_px=12)
    work_off()
    made.refresh_from_db()
    assert (made.state, made.job.error_code) == ("failed", "E-LAB-02")


def test_nothing_said_is_lost(plate: LabelPlate, mined: SimpleNamespace) -> None:
    user = mined.interpreter
    sheet = labels_say(plate=plate, user=user, version=0, labels=[(1, 7), (2, 5)])
    sheet = labels_say(plate=plate, user=user, version=2, labels=[(1, UNSURE)])
    assert labels_of(sheet) == {1: UNSURE, 2: 5}
    with pytest.raises(ConflictError):
        labels_say(plate=plate, user=user, version=2, labels=[(3, 1)])
    with pytest.raises(MineGISError, match="E-LAB-03"):
        labels_say(plate=plate, user=user, version=3, labels=[(3, 1), (10**6, 1)])  # all or nothing
    sheet, undone = labels_undo(plate=plate, user=user, version=3)
    assert (undone, labels_of(sheet), sheet.version) == (1, {1: 7, 2: 5}, 4)
    assert len(bytes(sheet.log)) == 16
    for left in ({1: 7}, {}, {}):
        sheet, undone = labels_undo(plate=plate, user=user, version=sheet.version)
        assert labels_of(sheet) == left
    assert (undone, sheet.version) == (0, 6)
    other = labels_say(plate=plate, user=mined.reviewer, version=0, labels=[(1, 3)])
    assert labels_of(sheet_of(plate, user)) == {}
    assert labels_of(other) == {1: 3}
    figures = progress(plate, other)
    assert (figures.done, figures.known) == (1, len(plate.pixels))
    assert figures.shares == {3: pytest.approx(plate.pixels[0] / sum(plate.pixels))}
    for person in (mined.viewer, mined.stranger):
        with pytest.raises(ForbiddenError):
            labels_say(plate=plate, user=person, version=0, labels=[(1, 1)])


def test_the_database_counts_the_entries(plate: LabelPlate, mined: SimpleNamespace) -> None:
    labels_say(plate=plate, user=mined.interpreter, version=0, labels=[(1, 7)])
    with pytest.raises(IntegrityError, match="label_sheet_version_counts_its_entries"), transaction.atomic():
        LabelSheet.objects.update(log=b"")


def test_the_raster_of_a_sheet(plate: LabelPlate, mined: SimpleNamespace) -> None:
    with pytest.raises(MineGISError, match="E-LAB-05"):
        sheet_raster(sheet_of(plate, mined.interpreter))
    labels_say(plate=plate, user=mined.interpreter, version=0, labels=[(1, 7), (2, UNSURE), (3, 0), (4, 5), (4, NONE)])
    with rasterio.open(io.BytesIO(sheet_raster(sheet_of(plate, mined.interpreter)))) as source:
        labels = source.read(1)
        with rasterio.open(file_path(mined.scenes[0].cog_sha256)) as image:
            assert (source.shape, source.transform, source.crs) == (image.shape, image.transform, image.crs)
    segments = read_segments(file_path(plate.segments_sha256))
    expected = np.full(labels.shape, 255)
    window = np.where(segments == 1, 7, np.where(segments == 3, 0, 255))
    expected[plate.row : plate.row + 64, plate.column : plate.column + 64] = window
    assert np.array_equal(labels, expected)


def test_a_sample_set_of_labels_keeps_to_the_versions_it_named(
    mined: SimpleNamespace, tmp_path: Path, work_off: Callable[[], None]
) -> None:
    with pytest.raises(MineGISError, match="E-LAB-05"):
        sample_set_request(
            region=mined.regions.changji, user=mined.interpreter, name="p", kind="labels", params=SMALL_SET
        )
    plates = [plate_request(scene=s, user=mined.interpreter, window=96, side_px=12) for s in mined.scenes[:3]]
    work_off()
    for made in plates:
        made.refresh_from_db()
        every = range(1, len(made.pixels) + 1)
        said = [(number, UNSURE if number == 1 else 7 if number % 2 else 0) for number in every]
        labels_say(plate=made, user=mined.interpreter, version=0, labels=said)
        labels_say(plate=made, user=mined.reviewer, version=0, labels=[(2, 5), (3, 7)])  # they differ about the second
    asked = sample_set_request(
        region=mined.regions.changji, user=mined.interpreter, name="p", kind="labels", source={"years": [2023]},
        params={**SMALL_SET, "ring_px": 0},
    )  # fmt: skip
    first = plates[0]
    sheet = sheet_of(first, mined.interpreter)
    labels_say(plate=first, user=mined.interpreter, version=sheet.version, labels=[(n, 1) for n in (3, 4, 5)])
    work_off()
    row = SampleSet.objects.get(pk=asked.pk)
    assert row.state == "ready", row.job.error_code
    assert len(row.source["sheets"]) == 6
    folder = Folder.open(sample_set_folder(row.sha256))
    tiles = [tile for tile in folder.tiles if mined.scenes[0].pk.hex[:8] in tile.image]
    assert tiles
    segments = read_segments(file_path(first.segments_sha256))
    expected = np.where((segments == 1) | (segments == 2), 255, np.where(segments % 2 == 1, 7, 0))
    for tile in tiles:
        part = expected[tile.row : tile.row + 48, tile.column : tile.column + 48]
        assert np.array_equal(read_labels(folder.folder, tile.id), part)
