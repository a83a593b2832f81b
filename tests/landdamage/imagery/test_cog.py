import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.transform import from_origin
from rio_tiler.io import Reader

from landdamage.imagery import inspect_scene, write_cog
from landdamage.imagery.cog import BLOCK
from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import read_pixels
from minegis.errors import JobCancelledError, SceneError

SHAPE = (4, 700, 1200)


def convert(path: Path, **answers: object) -> Path:
    target = path.with_suffix(".cog.tif")
    write_cog(path, target, report=inspect_scene(path, **answers))  # type: ignore[arg-type]
    return target


def collared(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    pixels = np.random.default_rng(1).integers(300, 900, shape).astype("uint16")
    pixels[:, :, :100] = 0
    return pixels


def test_cog_holds_the_same_pixels_names_date_and_statistics(make_raster) -> None:
    pixels = collared()
    cog = convert(make_raster(pixels=pixels, bands=None), bands=["B", "G", "R", "N"], acquired_on=dt.date(2021, 7, 15))
    with rasterio.open(cog) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.block_shapes[0] == (BLOCK, BLOCK)
        assert dataset.overviews(1) == [2, 4]
        assert dataset.descriptions == ("B", "G", "R", "N")
        assert dataset.crs.to_epsg() == 4538
        assert dataset.nodata is None
        assert (dataset.read() == pixels).all()
        assert (dataset.dataset_mask() == np.where(pixels.any(0), 255, 0)).all()
        valid = pixels[2][:, 100:]
        assert float(dataset.tags(3)["P2"]) == pytest.approx(np.percentile(valid, 2), abs=3)
        assert float(dataset.tags(3)["P98"]) == pytest.approx(np.percentile(valid, 98), abs=3)
        assert float(dataset.tags(3)["STATISTICS_MEAN"]) == pytest.approx(valid.mean(), rel=1e-6)
        assert float(dataset.tags(3)["STATISTICS_STDDEV"]) == pytest.approx(valid.std(), rel=1e-6)
        assert float(dataset.tags(3)["STATISTICS_MINIMUM"]) == 300
    again = inspect_scene(cog, "renamed.tif")
    assert (again.state, again.codes) == ("ready", [])
    assert again.usable().acquired_on == dt.date(2021, 7, 15)


def test_overviews_do_not_bleed_the_collar_into_the_image(make_raster) -> None:
    cog = convert(make_raster(pixels=collared()))
    with open_raster(cog) as dataset:
        pixels, valid = read_pixels(dataset, [1, 2, 3, 4], out_shape=(175, 300))
    assert pixels[:, valid].min() >= 300
    assert valid.mean() == pytest.approx(1100 / 1200, abs=0.01)


def test_tiles_can_be_read_by_the_tile_server(make_raster) -> None:
    with Reader(str(convert(make_raster(pixels=collared())))) as reader:
        assert reader.dataset.overviews(1)
        west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
        image = reader.point((west + east) / 2, (south + north) / 2)
    assert image.data.min() >= 300


def test_nodata_alpha_and_float_fill_become_one_mask(make_raster) -> None:
    hole = np.zeros((64, 80), bool)
    hole[10:30, 20:50] = True
    noise = np.random.default_rng(0).integers(20, 200, (4, 64, 80))
    tagged = np.where(hole, 7, noise).astype("uint16")
    alpha = np.concatenate([noise[:3], np.where(hole, 0, 255)[None]]).astype("uint8")
    filled = np.where(hole, -9999, noise / 250).astype("float64")
    filled[1, 0, 0] = np.nan
    cases = {
        "nodata.tif": {"pixels": tagged, "nodata": 7},
        "alpha.tif": {"pixels": alpha, "bands": None, "photometric": "RGB", "alpha": "YES"},
        "fill.tif": {"pixels": filled},
    }
    for name, options in cases.items():
        with rasterio.open(convert(make_raster(name, **options))) as dataset:
            expected = ~hole
            expected[0, 0] &= name != "fill.tif"
            assert ((dataset.dataset_mask() > 0) == expected).all(), name
            assert dataset.count == (3 if name == "alpha.tif" else 4)
            assert np.isfinite(dataset.read()).all()
            assert dataset.dtypes[0] == {"nodata.tif": "uint16", "alpha.tif": "uint8", "fill.tif": "float32"}[name]


def test_fully_valid_scene_needs_no_mask(make_raster) -> None:
    with rasterio.open(convert(make_raster())) as dataset:
        assert dataset.mask_flag_enums[0] == [rasterio.enums.MaskFlags.all_valid]


def test_flipped_image_is_turned_without_loss(make_raster) -> None:
    pixels = collared((4, 64, 120))
    south_up = Affine(2, 0, 548_924, 0, 2, 4_762_000)
    with rasterio.open(convert(make_raster(pixels=pixels, transform=south_up))) as dataset:
        assert dataset.transform == from_origin(548_924, 4_762_128, 2, 2)
        assert (dataset.read() == pixels[:, ::-1]).all()
        assert (dataset.dataset_mask()[:, :100] == 0).all()


@pytest.mark.parametrize("angle", [15, 90, -140])
def test_rotated_image_keeps_its_ground(make_raster, angle: int) -> None:
    """A bright square of known ground position is where it was, and the area outside is masked."""
    turn = Affine.translation(548_924, 4_762_894) @ Affine.rotation(angle) @ Affine.scale(2, -2)
    pixels = np.random.default_rng(0).integers(300, 320, (4, 200, 300)).astype("uint16")
    pixels[:, 80:120, 140:160] = 900
    x, y = turn @ (150, 100)
    with rasterio.open(convert(make_raster(pixels=pixels, transform=turn))) as dataset:
        t = dataset.transform
        assert (t.a, t.b, t.d, t.e) == pytest.approx((2, 0, 0, -2))
        mask = dataset.dataset_mask() > 0
        assert mask.sum() == pytest.approx(200 * 300, rel=0.01)
        rows, columns = np.nonzero(dataset.read(1) > 700)
        assert len(rows) == pytest.approx(40 * 20, rel=0.06)
        middle = t @ (columns.mean() + 0.5, rows.mean() + 0.5)
    assert middle == pytest.approx((x, y), abs=0.5)


def test_oblong_pixels_become_square_ones_as_fine_as_the_finer_side(make_raster) -> None:
    with rasterio.open(convert(make_raster(transform=from_origin(548_924, 4_762_894, 2, 4)))) as dataset:
        assert dataset.res == (2, 2)
        assert dataset.shape == (128, 80)


def test_progress_rises_to_one_and_cancel_leaves_nothing(make_raster, tmp_path: Path) -> None:
    path = make_raster(pixels=collared())
    report = inspect_scene(path)
    seen: list[float] = []
    write_cog(path, tmp_path / "a.cog.tif", report=report, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    before = set(tmp_path.iterdir())
    with pytest.raises(JobCancelledError):
        write_cog(path, tmp_path / "b.cog.tif", report=report, should_stop=lambda: True)
    assert set(tmp_path.iterdir()) == before


def test_old_file_stays_until_the_new_one_is_complete(make_raster, tmp_path: Path) -> None:
    path = make_raster(pixels=collared())
    target = tmp_path / "c.cog.tif"
    target.write_bytes(b"old")
    calls = iter([False, True])
    with pytest.raises(JobCancelledError):
        write_cog(path, target, report=inspect_scene(path), should_stop=lambda: next(calls, True))
    assert target.read_bytes() == b"old"


def test_rejected_scene_is_not_converted(make_raster, tmp_path: Path) -> None:
    path = make_raster(crs=None)
    with pytest.raises(SceneError, match="E-GEO-01"):
        write_cog(path, tmp_path / "no.tif", report=inspect_scene(path))
