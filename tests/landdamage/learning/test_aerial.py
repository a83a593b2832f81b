"""The two aerial sets: classes mapped as documented, bands in order, no region in two splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from landdamage.learning.aerial import DRONEDEPLOY, HARVEY, class_table, load_dronedeploy, load_harvey
from landdamage.taxonomy import BY_CODE


def test_values_without_a_class_are_ignored() -> None:
    table = class_table(HARVEY)
    assert table[[1, 2]].tolist() == [BY_CODE["living_area"].id] * 2
    assert table[[3, 23, 24]].tolist() == [BY_CODE["water"].id] * 3
    assert table[19] == BY_CODE["industrial_square"].id
    assert table[[0, 4, 16, 25, 200]].tolist() == [255] * 5
    assert class_table(DRONEDEPLOY)[[0, 1, 2, 3, 4, 5, 6]].tolist() == [3, 0, 1, 2, 0, 0, 255]


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["chip,split"]
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(24):
        name = f"flight-a-{number:06d}"
        image = rng.integers(0, 200, (20, 30, 3), dtype=np.uint8)
        image[..., 0] = 250  # red
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.webp", lossless=True)
        Image.fromarray(rng.integers(0, 6, (20, 30), dtype=np.uint8)).save(tmp_path / "labels" / f"{name}.png")
        rows.append(f"{name},{'val' if number >= 15 else 'train'}")
    (tmp_path / "splits.csv").write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_chips_of_a_flight_share_a_stretch_and_ten_make_a_region(chips: Path) -> None:
    splits = load_dronedeploy(chips)
    assert (len(splits["train"]), len(splits["val"])) == (15, 9)
    assert {s.group for s in splits["train"]} == {"flight-a-train-0", "flight-a-train-1"}
    assert {s.group for s in splits["val"]} == {"flight-a-val-1", "flight-a-val-2"}
    first = splits["train"][0]
    assert first.pixels.shape == (3, 20, 30)
    assert (first.pixels[2] == 250).all()  # bands are B, G, R
    assert all(s.stretch is first.stretch for s in splits["train"] + splits["val"])
    assert set(np.unique(first.labels)) <= {0, 1, 2, 3}


@pytest.mark.parametrize("load", [load_dronedeploy, load_harvey])
def test_another_folder_is_refused(tmp_path: Path, load: object) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path)  # type: ignore[operator]


@pytest.mark.data
def test_no_region_of_the_public_sets_lies_in_two_splits(shared_data: Path) -> None:
    land = shared_data / "land"
    for splits, counts in (
        (load_dronedeploy(land / "dronedeploy"), (178, 40)),
        (load_harvey(land / "harvey_uav"), (7, 4)),
    ):
        train, val = splits["train"], splits["val"]
        assert (len(train), len(val)) == counts
        assert not {s.group for s in train} & {s.group for s in val}
        for split in (train, val):
            seen = set(np.unique(np.concatenate([s.labels.ravel()[::7] for s in split])))
            assert {0, 1, 2, 3} <= seen <= {0, 1, 2, 3, 4, 255}
