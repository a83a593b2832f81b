"""End to end, whatever the sizes: a network that says what it sees gives the scene back, and its polygons tile it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from landdamage.imagery.radiometry import HIGH_TAG, LOW_TAG
from landdamage.interpretation import Engine, interpret_scene, polygons, result, strips
from landdamage.interpretation.predict import PROBABILITY_STEPS
from landdamage.taxonomy import BY_ID, IGNORE
from minegis import units
from tests.landdamage.interpretation.test_blocks import InOrder, crew_of
from tests.landdamage.interpretation.test_result import BANDS, read

SIDES = st.one_of(st.sampled_from([1, 2, 3]), st.integers(1, 45))
SCENES = hnp.arrays(np.uint8, st.tuples(SIDES, SIDES), elements=st.sampled_from([1, 1, 2, 7, IGNORE]))


@given(
    truth=SCENES,
    window=st.integers(4, 50),
    overlap=st.integers(0, 12),
    panel=st.integers(1, 60),
    block=st.integers(1, 2000),
    band=st.integers(1, 2000),
    shared=st.one_of(st.none(), st.integers(1, 2000)),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_scene_comes_back_and_is_tiled_by_its_polygons(
    class_scene: Callable[..., Path],
    class_engine: Callable[..., Engine],
    truth: NDArray[np.uint8],
    window: int,
    overlap: int,
    panel: int,
    block: int,
    band: int,
    shared: int | None,
) -> None:
    scene, engine = class_scene(truth), class_engine(window=window)
    with rasterio.open(scene, "r+") as dataset:  # in a scene of one class the stretch cannot be measured
        for index in dataset.indexes:
            dataset.update_tags(index, **{LOW_TAG: 100, HIGH_TAG: 1000})
    options: dict[str, Any] = {}
    if shared is not None:  # in blocks, the last one first
        options = {"block_pixels": shared, "crew": crew_of(lambda work: InOrder([b.number for b in work.blocks][::-1]))}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(result, "OVERLAP", overlap)
        patch.setattr(result, "PANEL_WIDTH", panel)
        patch.setattr(strips, "BLOCK_PIXELS", block)
        patch.setattr(polygons, "BAND_PIXELS", band)
        found = interpret_scene(scene, Path(folder), engine=engine, bands=BANDS, min_area_m2=0, **options)
        np.testing.assert_array_equal(read(found.class_raster), truth)
        confidence, patches = read(found.confidence_raster), found.patches
    observed = truth != IGNORE
    assert set(np.unique(confidence[observed])) <= {PROBABILITY_STEPS}
    assert (confidence[~observed] == IGNORE).all()
    assert patches["pixels"].sum() == observed.sum()
    for class_id in (1, 2, 7):
        assert patches["pixels"][patches["class_id"] == class_id].sum() == (truth == class_id).sum()
    assert set(patches["class_code"]) == {BY_ID[int(c)].code for c in np.unique(truth[observed])}
    if not observed.any():
        return
    shapes = patches.geometry.values
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    with rasterio.open(scene) as dataset:
        placed = np.array([units.reproject(shape, 4490, dataset.crs.to_wkt()) for shape in shapes])
        ground = shapely.union_all(placed)
        inside = rasterio.features.geometry_mask([ground], truth.shape, dataset.transform, invert=True)
    np.testing.assert_array_equal(inside, observed)
    # Places are rounded to 0.1 mm, which a single pixel of 2 m feels most.
    assert ground.area == pytest.approx(4.0 * observed.sum(), rel=2e-4)
    np.testing.assert_allclose(shapely.area(placed), 4.0 * patches["pixels"], rtol=2e-4)
    assert shapely.area(placed).sum() == pytest.approx(ground.area, rel=1e-9)
