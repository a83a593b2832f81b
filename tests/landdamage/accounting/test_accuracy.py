"""The stratified estimators: the published worked example, and coverage of the truth by the printed interval."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landdamage.accounting import accuracy

# Olofsson et al. (2014), section 5: deforestation, forest gain, stable forest, stable non-forest; 640 points.
CODES = ("deforestation", "gain", "forest", "nonforest")
COUNTS = ((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313))
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)
PIXEL_CM2 = 900 * 10_000


def published() -> accuracy.Accuracy:
    pairs = [
        (CODES[row], CODES[column])
        for row, counts in enumerate(COUNTS)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    return accuracy.assess(pairs, {code: n * PIXEL_CM2 for code, n in zip(CODES, PIXELS, strict=True)})


def test_the_published_example_is_reproduced():
    found = published()
    assert found.overall == pytest.approx(0.95, abs=0.005)
    assert found.overall_ci == pytest.approx(0.02, abs=0.005)
    area, half, mapped = found.adjusted_cm2["deforestation"]
    assert area / 1e8 == pytest.approx(21_158, rel=0.001)  # hm2
    assert half / 1e8 == pytest.approx(6_158, rel=0.01)
    assert mapped / 1e8 == pytest.approx(18_000)
    assert found.users["deforestation"] == pytest.approx((0.88, 0.07), abs=0.006)
    assert found.users["gain"] == pytest.approx((0.73, 0.10), abs=0.006)
    assert found.producers["deforestation"] == pytest.approx((0.75, 0.21), abs=0.006)
    gain = found.producers["gain"]
    assert gain is not None
    assert gain[0] == pytest.approx(0.85, abs=0.006)


def test_classes_taken_together_have_their_own_interval():
    found = published()
    areas = {code: n * PIXEL_CM2 for code, n in zip(CODES, PIXELS, strict=True)}
    whole = found.group(CODES, areas)
    assert whole[0] == pytest.approx(sum(areas.values()), rel=1e-12)
    assert whole[1] == 0  # everything is something
    both = found.group(("deforestation", "gain"), areas)
    assert both[0] == pytest.approx(found.adjusted_cm2["deforestation"][0] + found.adjusted_cm2["gain"][0], rel=1e-9)


def test_a_stratum_without_points_is_refused():
    with pytest.raises(ValueError, match="none>exc"):
        accuracy.assess([("none>none", "none>none")] * 5, {"none>none": 10, "none>exc": 1})


def strip_of_cells() -> gpd.GeoDataFrame:
    """A hundred cells side by side: 80 undamaged, 10 stable pit, 10 new pit; one of them not observed."""
    states = [("other", "other", "plain")] * 80 + [("open_pit", "open_pit", "persist")] * 10
    states += [("vegetation", "open_pit", "new")] * 9 + [("open_pit", "open_pit", "carried")]
    boxes = [shapely.box(87 + i * 0.001, 43, 87.001 + i * 0.001, 43.001) for i in range(100)]
    prev, new, flow = zip(*states, strict=True)
    return gpd.GeoDataFrame(
        {"prev_state": prev, "new_state": new, "flow": flow, "area_cm2": [90_000_000] * 100},
        geometry=boxes,
        crs=4490,
    )


def test_points_lie_in_their_stratum_and_repeat_with_the_seed():
    cells = strip_of_cells()
    codes = accuracy.strata_of(cells)
    areas = {code: int(cells["area_cm2"][codes == code].sum()) for code in set(codes) - {""}}
    strata = accuracy.plan(areas, total=200)
    assert {s.code: s.points for s in strata}.keys() == {"none>none", "exc>exc", "none>exc"}
    assert min(s.points for s in strata) >= accuracy.MIN_POINTS
    drawn = accuracy.draw(cells, strata, seed=5)
    assert drawn == accuracy.draw(cells, strata, seed=5)
    tree = shapely.STRtree(cells.geometry)
    for code, point in drawn:
        assert codes[tree.query(point, predicate="intersects")[0]] == code
    assert [code for code, _ in drawn] != sorted(code for code, _ in drawn)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """A map with known errors, sampled 300 times: the 95 % interval holds the true area about 95 times in 100."""
    random = np.random.default_rng(3)
    size = 20_000
    mapped = np.where(np.arange(size) < 2_000, "none>exc", "none>none").astype(object)
    truth = mapped.copy()
    truth[:300] = "none>none"  # commission
    truth[2_000:2_600] = "none>exc"  # omission
    areas = {"none>exc": 2_000, "none>none": 18_000}
    true_area = int((truth == "none>exc").sum())
    held = 0
    for _ in range(300):
        points = np.concatenate([random.integers(0, 2_000, 150), random.integers(2_000, size, 450)])
        area, half, _ = accuracy.assess(zip(mapped[points], truth[points], strict=True), areas).adjusted_cm2["none>exc"]
        held += abs(area - true_area) <= half
    assert 0.90 <= held / 300 <= 0.985


def test_agreement_of_two_labellers():
    assert accuracy.agreement([("a", "a"), ("b", "b"), ("a", "b"), ("b", "a")]) == (0.5, 0.0)
    assert accuracy.agreement([("a", "a")]) == (1.0, 1.0)
