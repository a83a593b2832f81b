"""From a scene to rasters, patches and areas that agree with each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.interpretation import Engine, Interpretation, interpret_scene
from landdamage.interpretation.predict import PROBABILITY_STEPS
from landdamage.taxonomy import IGNORE
from minegis import units
from minegis.errors import JobCancelledError, ModelError, SceneError

BANDS = tuple("01234567")
SceneWriter = Callable[..., Path]
EngineMaker = Callable[..., Engine]


def landscape(height: int, width: int, seed: int = 3, classes: int = 8) -> NDArray[np.uint8]:
    """Smooth random areas of every class."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = ndimage.gaussian_filter(noise, 6, mode="reflect")
    return np.digitize(smooth, np.quantile(smooth, np.linspace(0, 1, classes + 1)[1:-1])).astype(np.uint8)


def read(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("size", [(150, 207), (64, 64), (31, 90), (5, 3)])
def test_every_pixel_of_the_frame_is_interpreted(
    size: tuple[int, int], tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    truth = landscape(*size)
    result = interpret_scene(class_scene(truth), tmp_path / "w", engine=class_engine(), bands=BANDS, min_area_m2=0)
    np.testing.assert_array_equal(read(result.class_raster), truth)


def test_the_card_says_how_wide_the_windows_are(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    truth = landscape(150, 207)
    scene = class_scene(truth)
    results = [
        interpret_scene(scene, tmp_path / f"w{window}", engine=class_engine(window=window), bands=BANDS, min_area_m2=0)
        for window in (0, 96, 256)
    ]
    assert [(r.params["window"], r.params["overlap"]) for r in results] == [(64, 16), (96, 24), (256, 64)]
    assert [r.windows for r in results] == [4 * 3, 3 * 2, 1]
    for result in results:
        np.testing.assert_array_equal(read(result.class_raster), truth)


@pytest.fixture
def holed(tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker) -> tuple[NDArray, Interpretation]:
    """A landscape with unobserved ground inside and at the edge, interpreted with real steps of confidence."""
    truth = landscape(180, 230)
    truth[40:70, 100:150] = IGNORE
    truth[:, 222:] = IGNORE
    truth[np.add.outer(np.arange(180), np.arange(230)) < 40] = IGNORE
    scene = class_scene(truth)
    rng = np.random.default_rng(1)
    with rasterio.open(scene, "r+") as dataset:  # uneven brightness, hence uneven confidence
        pixels = dataset.read()
        dataset.write(np.where(pixels > 0, pixels + rng.integers(0, 300, pixels.shape), 0).astype(np.uint16))
    engine = class_engine(sharpness=0.7)
    return truth, interpret_scene(scene, tmp_path / "w", engine=engine, bands=BANDS, simplify_pixels=0)


def test_unobserved_ground_stays_unobserved(holed: tuple[NDArray, Interpretation]) -> None:
    truth, result = holed
    classes = read(result.class_raster)
    for raster in (result.class_raster, result.confidence_raster, result.margin_raster):
        np.testing.assert_array_equal(read(raster) == IGNORE, truth == IGNORE)
        with rasterio.open(raster) as dataset:
            assert (dataset.nodata, dataset.crs.to_epsg()) == (IGNORE, 4538)
    assert (result.patches["pixels"].sum()) == ((classes != IGNORE) & (classes != 0)).sum()


def test_raster_polygons_and_table_agree(holed: tuple[NDArray, Interpretation]) -> None:
    _, result = holed
    classes = read(result.class_raster)
    patches = result.patches
    assert str(patches.crs) == "EPSG:4490"
    assert shapely.is_valid(patches.geometry.values).all()
    assert shapely.coverage_is_valid(patches.geometry.values)
    for class_id, area in result.areas_cm2.items():
        mine = patches[patches["class_id"] == class_id]
        assert area == mine["area_cm2"].sum() == sum(units.area_cm2(g) for g in mine.geometry)
        pixels = int((classes == class_id).sum())
        assert mine["pixels"].sum() == pixels
        assert area / 1e4 == pytest.approx(pixels * 4.0, rel=1e-5)  # next to the central meridian the grid is true
    assert set(patches["class_code"][patches["damage_kind"] == "excavation"]) == {"open_pit"}
    assert "background" not in set(patches["class_code"])


def test_confidence_is_that_of_the_pixels_inside(holed: tuple[NDArray, Interpretation]) -> None:
    _, result = holed
    with rasterio.open(result.confidence_raster) as dataset:
        confidence, transform, crs, scale = dataset.read(1), dataset.transform, dataset.crs, dataset.scales[0]
    margin = read(result.margin_raster)
    assert scale == pytest.approx(1 / PROBABILITY_STEPS)
    assert len(np.unique(confidence)) > 20
    for patch in result.patches.itertuples():
        shape = units.reproject(patch.geometry, 4490, crs.to_wkt())
        inside = rasterio.features.geometry_mask([shape], confidence.shape, transform, invert=True)
        assert inside.sum() == patch.pixels
        assert patch.confidence == pytest.approx(confidence[inside].mean() * scale)
        assert patch.margin == pytest.approx(margin[inside].mean() * scale)
        assert patch.confidence_p5 == pytest.approx(
            np.quantile(confidence[inside], 0.05, method="inverted_cdf") * scale
        )


def test_confidence_raster_holds_the_probability_of_the_class(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    """Bands are at -2 and 2 after normalisation, so p = 1 / (1 + 7 exp(-4 s)) and the second class is far behind."""
    scene = class_scene(landscape(100, 100))
    result = interpret_scene(scene, tmp_path / "w", engine=class_engine(sharpness=0.75), bands=BANDS)
    best = 1 / (1 + 7 * np.exp(-3.0))
    np.testing.assert_allclose(read(result.confidence_raster) / 200, best, atol=0.0026)
    np.testing.assert_allclose(read(result.margin_raster) / 200, best - best * np.exp(-3.0), atol=0.0026)


def test_simplified_patches_still_share_their_borders(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    scene = class_scene(landscape(160, 160))
    stairs = interpret_scene(scene, tmp_path / "a", engine=class_engine(), bands=BANDS, simplify_pixels=0).patches
    smooth = interpret_scene(scene, tmp_path / "b", engine=class_engine(), bands=BANDS).patches
    assert shapely.coverage_is_valid(smooth.geometry.values)
    assert shapely.get_num_coordinates(smooth.geometry.values).sum() < 0.5 * (
        shapely.get_num_coordinates(stairs.geometry.values).sum()
    )
    np.testing.assert_array_equal(smooth["pixels"], stairs["pixels"])
    np.testing.assert_allclose(smooth["area_cm2"], stairs["area_cm2"], rtol=1e-5)


def test_patches_below_the_minimum_mapping_unit_go_to_a_neighbour(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    truth = np.zeros((90, 90), np.uint8)
    truth[:, 50:] = 1
    truth[10:19, 10:21] = 7  # 99 pixels of 4 m²
    truth[40:50, 10:20] = 6  # 100 pixels: exactly 400 m²
    truth[60:66, 44:54] = 5
    result = interpret_scene(class_scene(truth), tmp_path / "w", engine=class_engine(), bands=BANDS)
    assert sorted(result.patches["class_id"]) == [1, 6]
    assert set(np.unique(read(result.class_raster))) == {0, 1, 6}
    assert result.areas_cm2[6] == pytest.approx(400e4, rel=1e-6)


def test_a_much_finer_scene_is_averaged_to_the_resolution_of_the_model(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    truth = np.repeat(np.repeat(landscape(60, 70), 4, axis=0), 4, axis=1)
    scene = class_scene(truth, transform=from_origin(500_000, 4_780_000, 0.5, 0.5))
    result = interpret_scene(scene, tmp_path / "w", engine=class_engine(), bands=BANDS, min_area_m2=0)
    np.testing.assert_array_equal(read(result.class_raster), truth[::4, ::4])
    with rasterio.open(result.class_raster) as dataset, rasterio.open(scene) as original:
        assert dataset.bounds == original.bounds
        assert dataset.res == (2.0, 2.0)
    assert [f.code for f in result.findings] == ["E-MOD-05"]


def test_a_missing_optional_band_is_fed_as_zero(tmp_path: Path, class_scene: SceneWriter, class_engine: Any) -> None:
    engine = class_engine()
    object.__setattr__(engine.card, "optional_bands", ("7",))
    truth = landscape(70, 70, classes=7)
    scene = class_scene(truth)
    bands = (*"0123456", "X")  # the eighth band of the file is something else
    result = interpret_scene(scene, tmp_path / "w", engine=engine, bands=bands, min_area_m2=0)
    np.testing.assert_array_equal(read(result.class_raster), truth)


def test_a_missing_required_band_or_place_is_a_coded_error(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    scene = class_scene(landscape(20, 20))
    with pytest.raises(ModelError) as lacking:
        interpret_scene(scene, tmp_path / "w", engine=class_engine(), bands=tuple("0123456"))
    assert lacking.value.code == "E-MOD-04"
    with rasterio.open(tmp_path / "nowhere.tif", "w", driver="GTiff", width=9, height=9, count=8, dtype="uint8") as out:
        out.write(np.ones((8, 9, 9), np.uint8))
    with pytest.raises(SceneError) as nowhere:
        interpret_scene(tmp_path / "nowhere.tif", tmp_path / "w", engine=class_engine(), bands=BANDS)
    assert nowhere.value.code == "E-GEO-01"


def test_cancel_takes_effect_within_a_batch_and_leaves_finished_strips(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    scene, engine, fractions = class_scene(landscape(200, 150)), class_engine(), []
    asked = iter(range(1000))
    with pytest.raises(JobCancelledError):
        interpret_scene(
            scene,
            tmp_path / "w",
            engine=engine,
            bands=BANDS,
            progress=lambda stage, part: fractions.append((stage, part)),
            should_stop=lambda: next(asked) == 7,  # three windows in a strip: in the third strip
        )
    assert len(fractions) == 7
    whole = interpret_scene(scene, tmp_path / "fresh", engine=engine, bands=BANDS)
    rest = interpret_scene(scene, tmp_path / "w", engine=engine, bands=BANDS)
    assert (whole.windows, rest.windows) == (12, 6)
    np.testing.assert_array_equal(read(rest.class_raster), read(whole.class_raster))
    np.testing.assert_array_equal(read(rest.confidence_raster), read(whole.confidence_raster))


def test_progress_never_goes_back_and_ends_at_one(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    seen: list[tuple[str, float]] = []
    interpret_scene(
        class_scene(landscape(100, 150)),
        tmp_path / "w",
        engine=class_engine(),
        bands=BANDS,
        progress=lambda stage, part: seen.append((stage, part)),
    )
    assert [part for _, part in seen] == sorted(part for _, part in seen)
    assert seen[-1] == ("polygons", 1.0)
    assert list(dict.fromkeys(stage for stage, _ in seen)) == ["network", "polygons"]


def test_windows_without_a_valid_pixel_are_skipped(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    truth = landscape(112, 208)
    truth[:, 70:] = IGNORE
    result = interpret_scene(class_scene(truth), tmp_path / "w", engine=class_engine(), bands=BANDS, min_area_m2=0)
    assert result.windows == 4  # two of four columns, two rows
    np.testing.assert_array_equal(read(result.class_raster), truth)


def test_other_inputs_do_not_reuse_old_strips(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker
) -> None:
    first, second = landscape(100, 100, 1), landscape(100, 100, 2)
    interpret_scene(class_scene(first), tmp_path / "w", engine=class_engine(), bands=BANDS)
    result = interpret_scene(class_scene(second), tmp_path / "w", engine=class_engine(), bands=BANDS, min_area_m2=0)
    np.testing.assert_array_equal(read(result.class_raster), second)


def test_a_scene_wider_than_a_panel_comes_out_whole(
    tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landdamage.interpretation.result.PANEL_WIDTH", 90)
    truth = landscape(130, 400)
    truth[50:60, 170:190] = IGNORE
    result = interpret_scene(class_scene(truth), tmp_path / "w", engine=class_engine(), bands=BANDS, min_area_m2=0)
    np.testing.assert_array_equal(read(result.class_raster), truth)


def test_nothing_observed_gives_no_patches(tmp_path: Path, class_scene: SceneWriter, class_engine: EngineMaker) -> None:
    result = interpret_scene(
        class_scene(np.full((70, 70), IGNORE, np.uint8)), tmp_path / "w", engine=class_engine(), bands=BANDS
    )
    assert (result.windows, len(result.patches), set(result.areas_cm2.values())) == (0, 0, {0})
    assert (read(result.class_raster) == IGNORE).all()
