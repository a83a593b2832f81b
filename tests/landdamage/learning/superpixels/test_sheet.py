"""What people say about superpixels: a log that gives every version and every undo back, and the raster of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from landdamage.learning.samples.build import build
from landdamage.learning.samples.material import RasterMaterial
from landdamage.learning.samples.tiles import read_labels
from landdamage.learning.superpixels.cut import Place, read_segments, write_segments
from landdamage.learning.superpixels.raster import label_raster
from landdamage.learning.superpixels.sheet import ENTRY_BYTES, NONE, UNSURE, Sheet, agreed, painted, shares
from minegis.errors import MineGISError
from tests.fixtures.labelled import EPSG, SMALL, image_file

KEYS = st.lists(
    st.one_of(st.tuples(st.integers(1, 5), st.sampled_from([0, 3, 7, UNSURE, NONE])), st.just("undo")), max_size=30
)


@given(KEYS)
def test_every_version_can_be_read_again(keys: list[tuple[int, int] | str]) -> None:
    """Against a list of states kept on the side."""
    sheet, log = Sheet(), b""
    states: list[dict[int, int]] = [{}]
    stack: list[dict[int, int]] = []
    for key in keys:
        if key == "undo":
            done = sheet.take_back()
            assert (done is None) == (not stack)
            if done is None:
                continue
            log += done[1]
            states.append(stack.pop())
        else:
            stack.append(states[-1])
            log += sheet.say(*key, known=5)
            states.append({**states[-1], key[0]: key[1]})
            if key[1] == NONE:
                states[-1].pop(key[0])
        assert sheet.labels == states[-1]
    assert len(log) == ENTRY_BYTES * (len(states) - 1)
    for version, state in enumerate(states):
        assert Sheet.read(log, version).labels == state
    assert Sheet.read(log).past == sheet.past


def test_wrong_words_are_refused_and_leave_nothing() -> None:
    sheet = Sheet()
    for superpixel, label in ((0, 1), (6, 1), (1, 8), (1, -1), (1, 253)):
        with pytest.raises(MineGISError, match="E-LAB-03"):
            sheet.say(superpixel, label, known=5)
    assert not sheet.labels
    for log, version in ((b"abc", None), (b"\0\0\1\2", 2), (b"", -1)):
        with pytest.raises(ValueError):
            Sheet.read(log, version)


def test_painting_and_what_two_people_agree_on() -> None:
    segments = np.array([[0, 1, 1], [2, 2, 3]], np.int32)
    one = painted(segments, {1: 7, 2: 5})
    assert one.tolist() == [[NONE, 7, 7], [5, 5, NONE]]
    two = painted(segments, {1: 7, 2: 6, 3: UNSURE})
    assert agreed([one]).tolist() == [[UNSURE, 7, 7], [5, 5, UNSURE]]
    assert agreed([one, two]).tolist() == [[UNSURE, 7, 7], [UNSURE, UNSURE, UNSURE]]
    three = painted(segments, {3: 0, 2: UNSURE})
    assert agreed([one, three]).tolist() == agreed([three, one]).tolist() == [[UNSURE, 7, 7], [UNSURE, UNSURE, 0]]
    assert agreed([one, two, three])[1, 0] == UNSURE  # two for, one against is no agreement
    assert shares({1: 7, 3: UNSURE}, {1: 2, 2: 2, 3: 1}) == {7: 0.4, UNSURE: 0.2}


def test_the_raster_is_a_source_of_sample_sets(tmp_path: Path) -> None:
    """Labels of a window, written on the grid of the image, come back pixel by pixel in the tiles."""
    images = [image_file(tmp_path / "scenes", place) for place in range(3)]
    rasters = {}
    place = Place(20, 30, 70, 64)
    segments = np.arange(1, 70)[None].repeat(64, 0).astype(np.int32)
    segments = np.concatenate([segments, np.zeros((64, 1), np.int32)], axis=1)  # an empty column
    for image in images:
        rasters[image.name] = tmp_path / f"{image.name}-labels.tif"
        labels = painted(segments, {number: 7 if number < 40 else 1 for number in range(1, 60)})
        label_raster(image.path, rasters[image.name], [(place, labels)])
        with rasterio.open(rasters[image.name]) as source, rasterio.open(image.path) as own:
            assert (source.shape, source.transform, source.crs) == (own.shape, own.transform, own.crs)
            written = source.read(1)
        expected = np.full(written.shape, UNSURE)
        expected[30:94, 20:59], expected[30:94, 59:79] = 7, 1
        assert np.array_equal(written, expected)
    made = build(RasterMaterial(images, rasters), SMALL, tmp_path / "set", name="labels")
    tile = next(tile for tile in made.tiles if (tile.row, tile.column) == (36, 36) or tile.labelled)
    got = read_labels(made.folder, tile.id)
    assert np.array_equal(got, expected[tile.row : tile.row + 48, tile.column : tile.column + 48])


def test_pieces_are_kept_as_they_were(tmp_path: Path) -> None:
    segments = np.arange(64 * 70, dtype=np.int32).reshape(64, 70)
    write_segments(tmp_path / "pieces.tif", segments, rasterio.Affine(2, 0, 5e5, 0, -2, 4e6), f"EPSG:{EPSG}")
    assert np.array_equal(read_segments(tmp_path / "pieces.tif"), segments)
