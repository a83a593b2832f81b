"""The split by region: nobody in two sets, the rarest class shared out, honest words about what is missing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landdamage.learning.samples.params import SETS, SHARES
from landdamage.learning.samples.split import LEAST_PONDS, as_in_the_paper, assign, split_findings
from landdamage.taxonomy import CLASSES
from minegis.errors import SampleSetError

COUNTS = st.lists(st.lists(st.integers(0, 30), min_size=8, max_size=8), min_size=1, max_size=25)


def counts_of(rows: list[list[int]]) -> dict[str, np.ndarray]:
    return {f"r{number:02d}": np.array(row) for number, row in enumerate(rows)}


@settings(max_examples=150)
@given(COUNTS, st.integers(0, 5))
def test_every_region_has_one_set_and_no_set_is_empty(rows: list[list[int]], seed: int) -> None:
    counts = counts_of(rows)
    useful = sum(row.any() for row in counts.values())
    if useful < 3:
        with pytest.raises(SampleSetError, match="E-SET-03"):
            assign(counts, SHARES, seed)
        return
    sets = assign(counts, SHARES, seed)
    assert set(sets) == set(counts)
    labelled = {own for region, own in sets.items() if counts[region].any()}
    assert labelled == set(SETS)
    assert assign(dict(reversed(counts.items())), SHARES, seed) == sets


def test_shares_come_near_six_two_two_for_every_class() -> None:
    rng = np.random.default_rng(3)
    rows = rng.poisson([0, 6, 5, 9, 22, 11, 0.4, 9], (120, 8)).tolist()
    counts = counts_of(rows)
    sets = assign(counts, SHARES)
    total = sum(counts.values())
    for name in SETS:
        own = sum((counts[region] for region, value in sets.items() if value == name), np.zeros(8))
        share = own[1:] / total[1:]
        assert np.abs(share - SHARES[name]).max() < 0.08
        assert abs(share[5] - SHARES[name]) < 0.03  # ponds, the rarest


def test_the_rarest_class_reaches_every_set() -> None:
    """Three regions hold a pond among forty that do not: each set gets one."""
    rows = [[0, 5, 3, 4, 9, 6, 0, 5]] * 40 + [[0, 5, 3, 4, 9, 6, 1, 5]] * 3
    counts = counts_of(rows)
    sets = assign(counts, SHARES)
    assert {sets[f"r{number}"] for number in (40, 41, 42)} == set(SETS)


def test_folds_share_regions_evenly() -> None:
    counts = counts_of([[0, 1, 1, 1, 1, 1, 1, 1]] * 20)
    sets = assign(counts, {f"fold{i}": 0.2 for i in range(1, 6)})
    assert set(Counter(sets.values()).values()) == {4}


def test_a_single_region_cannot_be_split() -> None:
    with pytest.raises(SampleSetError) as caught:
        assign(counts_of([[0, 9, 9, 9, 9, 9, 9, 9]]), SHARES)
    assert caught.value.code == "E-SET-03"
    assert "1 个" in caught.value.message("zh")
    assert "1 separate region" in caught.value.message("en")


def test_the_papers_own_split_of_its_own_counts() -> None:
    for count, parts in ((402, (242, 80, 80)), (177_594, (106_556, 35_519, 35_519))):
        found = Counter(as_in_the_paper(count, 0).tolist())
        assert tuple(found[name] for name in SETS) == parts


def test_what_a_set_cannot_judge_is_said() -> None:
    counts = {
        "a": np.array([0, 9, 9, 9, 9, 9, 9, 0]),
        "b": np.array([0, 9, 9, 9, 9, 9, 0, 0]),
        "c": np.array([0, 9, 9, 9, 9, 9, LEAST_PONDS, 0]),
    }
    found = split_findings(counts, {"a": "train", "b": "val", "c": "test"}, SETS)
    said = {(f.code, f.field): f.as_dict() for f in found}
    assert "open_pit" in said["E-SET-02", "class"]["message_en"]
    assert "露天采场" in said["E-SET-02", "class"]["message_zh"]
    assert "tailings_pond" in said["E-SET-26", "val"]["message_en"]
    assert ("E-SET-26", "train") not in said
    assert "0 个尾矿库" in said["E-SET-14", "val"]["message_zh"]
    assert "1 regions" in said["E-SET-14", "test"]["message_en"]
    assert ("E-SET-14", "train") not in said
    assert all(f.severity == "warn" for f in found)
    assert len(CLASSES) == 8
