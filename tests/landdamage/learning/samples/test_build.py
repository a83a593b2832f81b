"""Building sets: what is kept, what is recorded, that a stopped build goes on, that equal inputs give equal sets."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from landdamage.learning.samples import build as building
from landdamage.learning.samples import leaks, table
from landdamage.learning.samples.build import build
from landdamage.learning.samples.images import ImageSource
from landdamage.learning.samples.material import PolygonMaterial
from landdamage.learning.samples.params import SETS, Params
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.samples.tiles import image_path, label_path, read_labels, read_pixels
from landdamage.taxonomy import IGNORE
from minegis.errors import SampleSetError
from minegis.units import area_m2
from tests.fixtures.labelled import EPSG, GSD, SIDE, SMALL, box, layer, mine, origin

Mines = Callable[..., PolygonMaterial]


def test_a_set_holds_what_its_index_says(mines_set: SampleSet) -> None:
    made, folder = mines_set, mines_set.folder
    assert made == SampleSet.open(folder)
    made.verify()
    leaks.check(made)
    assert made.name == "第一批"
    assert {tile.set for tile in made.tiles} == set(SETS)
    for tile in made.tiles:
        labels = read_labels(made.folder, tile.id)
        pixels, valid = read_pixels(made.folder, tile.id)
        assert labels.shape == valid.shape == (48, 48)
        counts = np.bincount(labels.ravel(), minlength=256)
        assert tile.pixels == (*counts[:8], counts[IGNORE])
        assert (tile.sensor, len(tile.sha256), tile.origin) == ("GF2", 64, tile.id)
        assert (labels[~valid] == IGNORE).all()
        assert tile.labelled == (sum(tile.pixels[1:8]) >= SMALL.least_labelled * 48 * 48)
        with rasterio.open(made.folder.parent / "images" / f"{tile.image}.tif") as image:
            whole = image.read()
        bottom, right = min(tile.row + 48, SIDE), min(tile.column + 48, SIDE)
        inside = whole[:, tile.row : bottom, tile.column : right]
        assert np.array_equal(pixels[:, : inside.shape[1], : inside.shape[2]], inside)
    listed = {path.name for path in (folder / "tiles").iterdir()}
    assert listed == {p(made.folder, t.id).name for t in made.tiles for p in (image_path, label_path)}
    assert {path.name for path in folder.iterdir()} == {"index.json", "tiles"}
    assert not (folder.parent / "set.part").exists()


def test_training_windows_overlap_and_the_others_touch(mines_set: SampleSet) -> None:
    for tile in mines_set.tiles:
        step = 36 if tile.set == "train" else 48
        assert tile.row % step == 0 or tile.row == SIDE - 48
        assert tile.grid == ("train" if tile.set == "train" else "eval")
    for name in ("val", "test"):
        own = mines_set.of(name)
        assert not leaks.near_pairs(leaks.footprints_of(own), np.arange(len(own)), 0.0)[0].size


def test_background_is_kept_up_to_its_share(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    """Of nine windows an image has six with a pit and three without: one in five may be such a one."""
    rich = dataclasses.replace(SMALL, tile=32, stride=32, most_background=0.2)
    polygons = [("open_pit", box(place, 0, 0, 64, 96)) for place in range(3)]
    ground = gpd.GeoSeries([box(place, 0, 0, SIDE, SIDE) for place in range(3)], crs=EPSG).to_crs(4490)
    for name, share, most in (("set", 0.2, 1), ("none", 0.0, 0), ("all", 0.5, 3)):
        images = [write_image(place) for place in range(3)]
        material = PolygonMaterial(images, [layer(polygons)], surveyed=list(ground))
        made = build(material, dataclasses.replace(rich, most_background=share), tmp_path / name)
        for one in SETS:
            assert [sum(t.labelled is kind for t in made.of(one)) for kind in (True, False)] == [6, most]


def test_a_tile_needs_half_a_percent_of_labels(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    """Half a percent of 48 x 48 are 11.52 pixels: twelve are enough, eleven are not."""
    for place, (height, kept) in enumerate([(12, True), (11, False)]):
        images = [write_image(3 * place + k) for k in range(3)]
        polygons = [("open_pit", box(3 * place + k, 2, 2, height, 1)) for k in range(3)]
        material = PolygonMaterial(images, [layer(polygons)])
        if kept:
            made = build(material, SMALL, tmp_path / str(place))
            assert [sum(t.pixels[1:8]) for t in made.tiles] == [12, 12, 12]
        else:
            with pytest.raises(SampleSetError, match="E-SET-01"):
                build(material, SMALL, tmp_path / str(place))


def test_equal_inputs_give_equal_sets(mines: Mines, mines_set: SampleSet, tmp_path: Path) -> None:
    assert build(mines(), SMALL, tmp_path / "other", name="b").sha256 == mines_set.sha256
    ringed = build(mines(), dataclasses.replace(SMALL, ring_px=2), tmp_path / "third")
    assert ringed.sha256 != mines_set.sha256


class StoppedError(Exception):
    """Somebody pressed cancel."""


def test_a_stopped_build_goes_on_where_it_was(
    mines: Mines, mines_set: SampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[str] = []
    write = building.write_tile

    def counted(folder: Path, tile_id: str, *args: Any, **options: Any) -> None:
        cut.append(tile_id)
        write(folder, tile_id, *args, **options)

    monkeypatch.setattr(building, "write_tile", counted)

    def stop(stage: str, share: float) -> None:
        if stage == "tiles" and len(cut) >= 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        build(mines(), SMALL, tmp_path / "set", progress=stop)
    first = list(cut)
    assert not (tmp_path / "set").exists()
    shares: list[float] = []
    made = build(mines(), SMALL, tmp_path / "set", progress=lambda stage, share: shares.append(share))
    assert len(first) == 5
    assert not set(first) & set(cut[5:])
    assert made.sha256 == mines_set.sha256
    assert shares == sorted(shares)


def test_unfinished_work_of_another_set_is_not_used(mines: Mines, mines_set: SampleSet, tmp_path: Path) -> None:
    def stop(stage: str, share: float) -> None:
        if share > 0.5:
            raise StoppedError

    with pytest.raises(StoppedError):
        build(mines(), dataclasses.replace(SMALL, ring_px=4), tmp_path / "set", progress=stop)
    assert build(mines(), SMALL, tmp_path / "set").sha256 == mines_set.sha256


def test_a_finished_set_is_never_overwritten(mines: Mines, mines_set: SampleSet) -> None:
    with pytest.raises(SampleSetError, match="E-SET-15"):
        build(mines(), SMALL, mines_set.folder)
    assert SampleSet.open(mines_set.folder) == mines_set
    for path in [*(mines_set.folder / "tiles").iterdir(), mines_set.folder / "index.json"]:
        assert path.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("damage", ["pixel", "label", "gone", "index", "set", "format"])
def test_damage_is_found(damage: str, mines_set: SampleSet, tmp_path: Path) -> None:
    made = dataclasses.replace(mines_set, folder=tmp_path / "set")
    shutil.copytree(mines_set.folder, made.folder)
    tile, index = made.tiles[3], made.folder / "index.json"
    if damage in ("pixel", "label"):
        path = (image_path if damage == "pixel" else label_path)(made.folder, tile.id)
        path.chmod(0o644)
        with rasterio.open(path, "r+") as target:
            band = target.read(1)
            band[5, 5] += 1
            target.write(band, 1)
    elif damage == "gone":
        label_path(made.folder, tile.id).unlink()
    else:
        index.chmod(0o644)
        body = json.loads(index.read_text("utf-8"))
        if damage == "set":
            body["tiles"][3]["set"] = "val" if body["tiles"][3]["set"] == "test" else "test"
        if damage == "format":
            body["version"] = 99
        index.write_text("{" if damage == "index" else json.dumps(body), "utf-8")
    with pytest.raises(SampleSetError, match="E-SET-16"):
        SampleSet.open(made.folder).verify()


def test_all_sensors_come_to_one_sampling_distance(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    images = [write_image(place) for place in range(3)]
    fine = np.repeat(np.repeat(np.random.default_rng(9).integers(500, 900, (4, SIDE, SIDE)), 2, 1), 2, 2)
    images.append(
        write_image(
            3, "fine", pixels=fine.astype(np.uint16), transform=from_origin(*origin(3), GSD / 2, GSD / 2), sensor="UAV"
        )
    )
    polygons = [item for place in range(4) for item in mine(place)]
    made = build(PolygonMaterial(images, [layer(polygons)]), SMALL, tmp_path / "set")
    assert {round(facts.gsd_m, 1) for facts in made.images.values()} == {2.0}
    own = [tile for tile in made.tiles if tile.image == "fine"]
    assert own
    with rasterio.open(image_path(made.folder, own[0].id)) as target:
        assert target.res == (2.0, 2.0)
    by_place = [
        {(t.row, t.column): t.pixels[1:8] for t in made.tiles if t.image == name} for name in ("fine", "scene0")
    ]
    shared = set(by_place[0]) & set(by_place[1])
    assert all(by_place[0][place] == by_place[1][place] for place in shared)


def test_a_set_that_ends_up_empty_is_refused(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    """The image of one of three mines holds no data where the polygons are."""
    pixels = np.zeros((4, SIDE, SIDE), np.uint16)
    pixels[:, 90:] = 500
    images = [write_image(0), write_image(1), write_image(2, pixels=pixels)]
    polygons = [item for place in range(3) for item in mine(place)]
    with pytest.raises(SampleSetError, match="E-SET-28"):
        build(PolygonMaterial(images, [layer(polygons)]), SMALL, tmp_path / "set")


def test_too_few_regions_are_refused(mines: Mines, tmp_path: Path) -> None:
    with pytest.raises(SampleSetError) as caught:
        build(mines(1), SMALL, tmp_path / "set")
    assert (caught.value.code, caught.value.values["value"]) == ("E-SET-03", 1)
    with pytest.raises(SampleSetError, match="E-SET-03"):
        build(mines(), dataclasses.replace(SMALL, folds=5), tmp_path / "folds")


def test_no_image_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(SampleSetError, match="E-SET-27"):
        build(PolygonMaterial([], [layer(mine(0))]), SMALL, tmp_path / "set")


def test_every_date_of_a_place_goes_to_one_set(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    images = [write_image(place, f"s{place}-{year}", seed=10 * place + year) for place in range(3) for year in range(2)]
    polygons = [item for place in range(3) for item in mine(place)]
    made = build(PolygonMaterial(images, [layer(polygons)]), SMALL, tmp_path / "set")
    for place in range(3):
        assert len({tile.set for tile in made.tiles if tile.image.startswith(f"s{place}-")}) == 1
    assert len({tile.image for tile in made.tiles}) == 6


def test_mines_are_regions(mines: Mines, tmp_path: Path) -> None:
    """Two mines in one cell of 5 km may lie in two sets; tiles of one mine never do."""
    boxes = gpd.GeoSeries([box(place, -50, -50, 300, 300) for place in range(4)], crs=EPSG).to_crs(4490)
    named = [(f"M{place}", shape) for place, shape in enumerate(boxes)]
    made = build(mines(), dataclasses.replace(SMALL, regions="mine", cell_m=200_000), tmp_path / "set", named=named)
    assert {tile.region for tile in made.tiles} == {f"M{place}" for place in range(4)}
    assert all(len({t.set for t in made.tiles if t.region == key}) == 1 for key, _ in named)


def test_sets_keep_their_distance_within_one_mosaic(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    """One image, cells of 400 m: whatever lies within a tile of another set is left out, and said."""
    params = dataclasses.replace(SMALL, tile=32, stride=32, cell_m=400.0, gap_tiles=1.0)
    side = 480
    texture = np.random.default_rng(1).integers(500, 2500, (4, side // 4, side // 4)).repeat(4, 1).repeat(4, 2)
    image = write_image(0, pixels=texture.astype(np.uint16))
    polygons = [("open_pit", box(0, r, c, 10, 10)) for r in range(0, side, 32) for c in range(0, side, 32)]
    made = build(PolygonMaterial([image], [layer(polygons)]), params, tmp_path / "set")
    leaks.check(made)
    said = [finding for finding in made.findings if finding["code"] == "E-SET-17"]
    assert said
    assert int(said[0]["values"]["value"]) == made.report["left_out_near_other_sets"] > 0
    assert "64 m" in said[0]["message_zh"]
    assert all(len(made.of(name)) > 10 for name in SETS)


def test_regions_that_touch_can_be_joined(write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    """Overlap groups: nothing is left out, and images that share ground never part."""
    images = [write_image(place, f"s{place}{date}", seed=ord(date) + place) for place in range(3) for date in "ab"]
    polygons = [item for place in range(3) for item in mine(place)]
    params = dataclasses.replace(SMALL, regions="image", overlaps="join", folds=2)
    made = build(PolygonMaterial(images, [layer(polygons)]), params, tmp_path / "set")
    assert made.report["left_out_near_other_sets"] == 0
    assert len({tile.region for tile in made.tiles}) == 3
    assert {tile.set for tile in made.tiles} == {"fold1", "fold2"}
    for place in range(3):
        assert len({tile.set for tile in made.tiles if tile.image in (f"s{place}a", f"s{place}b")}) == 1
    assert {tile.grid for tile in made.tiles} == {"train", "eval"}
    leaks.check(made)


def test_the_papers_split_is_marked_as_leaky(mines: Mines, tmp_path: Path) -> None:
    made = build(mines(2), dataclasses.replace(SMALL, split="s2"), tmp_path / "set")
    assert made.leaky
    assert json.loads((made.folder / "index.json").read_text("utf-8"))["leaky"] is True
    originals = {tile.origin for tile in made.tiles}
    assert len(made.tiles) == 3 * len(originals)
    assert len(made.of("val")) == len(made.of("test")) == round(0.2 * len(made.tiles))
    assert "E-SET-19" in {finding["code"] for finding in made.findings}
    homes = [len({t.set for t in made.tiles if t.origin == origin}) for origin in originals]
    assert max(homes) > 1
    made.verify()
    with pytest.raises(SampleSetError, match=r"E-SET-1[13]"):
        leaks.check(made)


def test_the_table_counts_every_object_once(mines_set: SampleSet) -> None:
    made = mines_set
    rows = {row["class_code"]: row for row in made.table}
    assert rows["open_pit"]["originals"]["objects"] == 4
    assert sum(rows["tailings_pond"][name]["objects"] for name in SETS) == 4
    assert rows["tailings_pond"]["originals"]["pixels"] == 4 * 20 * 24
    for name in SETS:
        for row in made.table:
            assert row[name]["pixels"] == sum(tile.pixels[row["class_id"]] for tile in made.of(name))
            assert row[name]["tiles"] == sum(tile.pixels[row["class_id"]] > 0 for tile in made.of(name))
    text, zh = table.as_text(made.table), table.as_text(made.table, "zh")
    assert "Tailings pond" in text
    assert "尾矿库" in zh
    assert len(text.splitlines()) == len(zh.splitlines()) == 10
    shuffled = [dict(sorted(row.items(), reverse=True)) for row in made.table]
    assert table.as_csv(shuffled) == table.as_csv(made.table)
    assert table.ordered(["fold10", "originals", "fold2"]) == ["originals", "fold2", "fold10"]
    lines = table.as_csv(made.table, "zh").splitlines()
    assert lines[0].startswith("class,name,originals_objects,originals_tiles,originals_pixels,train_objects")
    assert len(lines) == 9
    assert lines[-1].startswith("background,背景/其他,,,,,")


def test_footprints_lie_where_the_tiles_are(mines_set: SampleSet) -> None:
    made = mines_set
    for tile, shape in zip(made.tiles, leaks.footprints_of(made.tiles), strict=True):
        rows, columns = min(48, SIDE - tile.row), min(48, SIDE - tile.column)
        assert area_m2(shape) == pytest.approx(rows * columns * GSD**2, rel=2e-3)
    assert isinstance(made.params, Params)
