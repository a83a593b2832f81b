"""The stratified estimators: the published worked example, and coverage of the truth by the printed interval."""

from collections import Counter

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landdamage.accounting import accuracy, intervals

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
    """Estimates to the digit; the published symmetric intervals are close where points are many."""
    found = published()
    assert found.overall.value == pytest.approx(0.95, abs=0.005)
    assert (found.overall.high - found.overall.low) / 2 == pytest.approx(0.02, abs=0.005)
    deforestation = found.adjusted_cm2["deforestation"]
    assert deforestation.adjusted / 1e8 == pytest.approx(21_158, rel=0.001)  # hm2
    assert (deforestation.high - deforestation.low) / 2e8 == pytest.approx(6_158, rel=0.15)
    assert deforestation.mapped / 1e8 == pytest.approx(18_000)
    for code, users, half, producers in (("deforestation", 0.88, 0.07, 0.75), ("gain", 0.73, 0.10, 0.85)):
        share, of_truth = found.users[code], found.producers[code]
        assert share is not None
        assert of_truth is not None
        assert share.value == pytest.approx(users, abs=0.006)
        assert (share.high - share.low) / 2 == pytest.approx(half, abs=0.006)
        assert of_truth.value == pytest.approx(producers, abs=0.006)
    missed = found.producers["deforestation"]
    assert missed is not None
    assert (missed.high - missed.low) / 2 == pytest.approx(0.21, abs=0.03)


def test_one_stratum_has_the_limits_of_its_share_and_none_found_is_no_proof():
    found = accuracy.assess([("none>exc", "none>exc")] * 18 + [("none>exc", "none>none")] * 2, {"none>exc": 10**12})
    low, high = intervals.limits(np.array([18]), np.array([20]))
    area = found.adjusted_cm2["none>exc"]
    assert (area.low, area.high) == (pytest.approx(low[0] * 1e12), pytest.approx(high[0] * 1e12))
    assert found.overall == found.users["none>exc"]
    assert found.producers["none>exc"] == (1.0, 1.0, 1.0)  # there is no other ground
    sure = accuracy.assess([("a", "a")] * 30 + [("b", "b")] * 60, {"a": 10, "b": 90})
    assert sure.overall.value == 1.0
    assert 0.9 < sure.overall.low < 1.0
    assert sure.group(["c"], {"a": 10, "b": 90}).adjusted == 0
    assert sure.group(["c"], {"a": 10, "b": 90}).high > 0


def test_classes_taken_together_have_their_own_interval():
    found = published()
    areas = {code: n * PIXEL_CM2 for code, n in zip(CODES, PIXELS, strict=True)}
    whole = found.group(CODES, areas)
    assert whole.adjusted == whole.high == pytest.approx(sum(areas.values()), rel=1e-12)
    both = found.group(("deforestation", "gain"), areas)
    apart = [found.adjusted_cm2[code] for code in ("deforestation", "gain")]
    assert both.adjusted == pytest.approx(sum(one.adjusted for one in apart), rel=1e-9)
    assert sum(one.low for one in apart) < both.low < both.high < sum(one.high for one in apart)


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
    """A map with known errors, sampled 300 times: the 95 % intervals hold the truth about 95 times in 100."""
    random = np.random.default_rng(3)
    size = 20_000
    mapped = np.where(np.arange(size) < 2_000, "none>exc", "none>none").astype(object)
    truth = mapped.copy()
    truth[:300] = "none>none"  # commission
    truth[2_000:2_600] = "none>exc"  # omission
    areas = {"none>exc": 2_000, "none>none": 18_000}
    held = Counter()
    for _ in range(300):
        points = np.concatenate([random.integers(0, 2_000, 150), random.integers(2_000, size, 450)])
        found = accuracy.assess(zip(mapped[points], truth[points], strict=True), areas)
        area, producers = found.adjusted_cm2["none>exc"], found.producers["none>exc"]
        assert producers is not None
        held["area"] += area.low <= 2_300 <= area.high
        held["overall"] += found.overall.low <= 19_100 / 20_000 <= found.overall.high
        held["producers"] += producers.low <= 1_700 / 2_300 <= producers.high
    assert all(0.92 <= count / 300 <= 0.985 for count in held.values()), held


def test_rare_omission_is_covered_too():
    """One point in 500 of the large stratum is missed damage: a third of the samples meet none of it."""
    random = np.random.default_rng(4)
    areas = {"none>exc": 3_000, "none>none": 97_000}
    true_area = 3_000 * 0.95 + 97_000 * 0.002
    held = 0
    for _ in range(400):
        right, missed = random.binomial(40, 0.95), random.binomial(500, 0.002)
        labels = [("none>exc", "none>exc")] * right + [("none>exc", "none>none")] * (40 - right)
        labels += [("none>none", "none>exc")] * missed + [("none>none", "none>none")] * (500 - missed)
        area = accuracy.assess(labels, areas).adjusted_cm2["none>exc"]
        held += area.low <= true_area <= area.high
    assert 0.92 <= held / 400 <= 0.99  # the symmetric interval holds it in two samples of three


def test_agreement_of_two_labellers():
    assert accuracy.agreement([("a", "a"), ("b", "b"), ("a", "b"), ("b", "a")]) == (0.5, 0.0)
    assert accuracy.agreement([("a", "a")]) == (1.0, 1.0)
