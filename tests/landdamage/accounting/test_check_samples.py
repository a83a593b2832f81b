"""Check samples of a simulated district whose map has errors: the printed intervals hold the truth as often as told."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from landdamage.accounting import accuracy
from landdamage.accounting.rules import Rules
from landdamage.accounting.territories import Territory
from landdamage.simulation import District
from landdamage.simulation.noise import generator, spectral_noise
from tests.fixtures.checked_books import CODES, CheckedYear
from tests.fixtures.simulated_books import SimulatedTruth, book_years

REAL = Rules(gsd_before=2.0, gsd_now=2.0, rmse_m=0.0)
OFF_PIXELS = 2.5  # standard deviation of the borders' errors
SEEDS = range(40)
POINTS = 400


def with_errors(classes: NDArray[np.uint8], year: int) -> NDArray[np.uint8]:
    """The classes with borders that wander smoothly, another way every year, as a network's do."""
    at = np.meshgrid(*map(np.arange, classes.shape), indexing="ij")
    off = [OFF_PIXELS * spectral_noise(generator(77, year, axis), len(classes), 3.0) for axis in (0, 1)]
    rows, columns = np.clip(np.rint(np.add(at, off)).astype(int), 0, len(classes) - 1)
    return classes[rows, columns]


@pytest.fixture(scope="module")
def checked(whole_district: list[Territory]) -> CheckedYear:
    """The second year of books kept from a map with errors; a dump was restored in it."""
    truth = SimulatedTruth(District(5, size=384, years=(2022, 2023)))
    patches = {year: truth.patches_of(with_errors(raster, year)) for year, raster in truth.rasters.items()}
    books = book_years(truth, whole_district, REAL, patches=patches)
    return CheckedYear(truth, 2023, books[2023], np.ones_like(truth.rasters[2023], bool))


def test_intervals_hold_the_truth_as_often_as_they_say(checked: CheckedYear) -> None:
    found = checked.coverage(SEEDS, POINTS)
    real = {key: one for key, one in found.items() if one.true}
    assert real.keys() == {("exc", "stock"), ("exc", "new"), ("occ", "stock"), ("occ", "new"), ("occ", "restored")}
    held = {key: one.held.mean() for key, one in real.items()}
    assert min(held.values()) >= 0.85, held
    assert 0.93 <= np.mean(list(held.values())) <= 0.99, held
    for key, one in real.items():
        # The estimate itself is right on average, and the intervals are not so wide that they say nothing.
        spread = one.adjusted.std() / np.sqrt(len(SEEDS))
        assert abs(one.adjusted.mean() - one.true) <= 3 * spread, key
        assert (one.high - one.low).mean() < (0.3 if key[1] == "stock" else 2.2) * one.true, key
    nothing = found["exc", "restored"]
    assert nothing.true == 0
    assert (nothing.low == 0).all()  # and no sample can prove it: what it did not meet may still be there
    assert (nothing.high > 0).all()


def test_labels_come_from_the_ground_and_not_from_the_map(checked: CheckedYear) -> None:
    strata = accuracy.plan(checked.areas_cm2, POINTS)
    mapped, points = zip(*accuracy.draw(checked.cells, strata, 1), strict=True)
    labels = checked.label(points)
    wrong = np.mean(labels != np.array(mapped, dtype=object))
    assert 0.02 < wrong < 0.3
    assert set(labels) <= set(CODES)
    true = np.bincount(checked.labels.ravel(), minlength=len(CODES))
    assert set(CODES[true > 0]) >= set(labels)
