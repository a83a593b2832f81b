"""Strips of workers that see no common folder: the shelf is the journal, the folder a copy of what is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landdamage.interpretation.strips import StripStore, recorded_engine
from minegis.errors import StorageError
from minegis.objects.bucket import Bucket
from minegis.objects.shelf import BucketShelf
from minegis.windows import Plan

PLAN = Plan(300, 90, 64, 16, 64)
INPUTS = {"model": "a", "engine": ["eager", "name", 1]}


@pytest.fixture
def shelf(s3: Any) -> BucketShelf:
    return BucketShelf(Bucket(s3.place(patience_s=0.2)), "work/1/strips")


def layers(panel: Any, strip: int) -> np.ndarray:
    first, last = strip_rows(strip)
    return np.full((3, last - first, panel.right - panel.left), 10 * panel.index + strip, np.uint8)


def strip_rows(strip: int) -> tuple[int, int]:
    edges = [*PLAN.rows, PLAN.height]
    return edges[strip], edges[strip + 1]


def save(store: StripStore, panel: Any, strip: int) -> None:
    store.save(panel, strip, layers(panel, strip), np.full(3, strip, np.float32))


def rows(store: StripStore) -> bytes:
    return b"".join(block.tobytes() for _, block in store.blocks())


def test_what_one_saved_the_other_finds_and_reads_bit_for_bit(shelf: BucketShelf, tmp_path: Path) -> None:
    alone = StripStore(tmp_path / "alone", PLAN, INPUTS)
    leader = StripStore(tmp_path / "leader", PLAN, INPUTS, shelf)
    helper = StripStore.joined(tmp_path / "helper", PLAN, INPUTS, shelf)
    assert helper is not None
    for panel in PLAN.panels:
        for strip in range(len(PLAN.rows)):
            save(alone, panel, strip)
            save((leader, helper)[strip % 2], panel, strip)
            other = (leader, helper)[(strip + 1) % 2]
            assert (panel.index, strip) in other.present()
            carry = other.carry(panel, strip)
            if strip + 1 < len(PLAN.rows):
                assert carry is not None
                assert carry.tolist() == [strip] * 3
    assert leader.share() == helper.share() == 1.0
    assert rows(leader) == rows(helper) == rows(alone)
    assert not any(name.startswith("carry-") for name in shelf.names()), "sums nobody needs any more"
    assert recorded_engine(tmp_path / "nobody", shelf) == "eager"


def test_sums_below_which_all_is_done_are_not_kept(shelf: BucketShelf, tmp_path: Path) -> None:
    store, panel = StripStore(tmp_path, PLAN, INPUTS, shelf), PLAN.panels[0]
    save(store, panel, 1)
    save(store, panel, 0)
    assert sorted(name.split("-")[0] for name in shelf.names()) == ["carry", "inputs.json", "strip", "strip"]


def test_a_helper_with_other_inputs_is_turned_away_and_another_run_starts_clean(
    shelf: BucketShelf, tmp_path: Path
) -> None:
    store, panel = StripStore(tmp_path / "1", PLAN, INPUTS, shelf), PLAN.panels[0]
    save(store, panel, 0)
    other = INPUTS | {"model": "b"}
    assert StripStore.joined(tmp_path / "2", PLAN, other, shelf) is None
    assert StripStore(tmp_path / "2", PLAN, other, shelf).present() == set()
    assert shelf.names() == {"inputs.json"}
    assert StripStore.joined(tmp_path / "1", PLAN, INPUTS, shelf) is None


def test_what_was_finished_while_the_shelf_was_away_is_put_by_the_next_attempt(
    s3: Any, shelf: BucketShelf, tmp_path: Path
) -> None:
    store, panel = StripStore(tmp_path / "1", PLAN, INPUTS, shelf), PLAN.panels[0]
    save(store, panel, 0)
    s3.line.cut()
    with pytest.raises(StorageError) as error:
        save(store, panel, 1)
    assert error.value.code == "E-STO-01"
    s3.line.mend()
    elsewhere = StripStore(tmp_path / "2", PLAN, INPUTS, shelf)
    assert elsewhere.present() == {(0, 0)}
    assert elsewhere.carry(panel, 0) is not None, "who goes on needs the sums of the strip above"
    again = StripStore(tmp_path / "1", PLAN, INPUTS, shelf)
    assert again.present() == elsewhere.present() == {(0, 0), (0, 1)}
    carry = StripStore(tmp_path / "3", PLAN, INPUTS, shelf).carry(panel, 1)
    assert carry is not None
    assert carry.tolist() == [1] * 3


def test_damage_on_the_shelf_is_noticed(s3: Any, shelf: BucketShelf, tmp_path: Path) -> None:
    store, panel = StripStore(tmp_path / "1", PLAN, INPUTS, shelf), PLAN.panels[0]
    save(store, panel, 0)
    name = next(name for name in shelf.names() if name.startswith("carry-"))
    key = f"minegis/work/1/strips/{name}"
    about = s3.client.head_object(Bucket=s3.name, Key=key)["Metadata"]
    s3.client.put_object(Bucket=s3.name, Key=key, Body=b"lie", Metadata=about)
    with pytest.raises(StorageError) as error:
        StripStore(tmp_path / "2", PLAN, INPUTS, shelf).carry(panel, 0)
    assert error.value.code == "E-STO-04"
    assert not list((tmp_path / "2").glob("carry-*"))
