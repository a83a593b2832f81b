"""One edition as plain data: sums that balance, filters that add up, and only what the reader may know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from landdamage.accounting.states import KINDS
from landdamage.selectors.editions import decision_queue, edition_data, edition_sums, editions_visible
from minegis.errors import MineGISError

pytestmark = pytest.mark.django_db


def test_sums_balance_and_continue_last_year(small_books: SimpleNamespace) -> None:
    before, now = edition_sums(small_books.published), edition_sums(small_books.draft)
    for kind in KINDS:
        one = now[kind]
        plus = one["new"] + one["first_seen"] + one["adj_plus"] + one["moved_in"]
        minus = one["restored"] + one["adj_minus"] + one["moved_out"] + one["exit"]
        assert one["opening"] == before[kind]["closing"]
        assert one["closing"] == one["opening"] + plus - minus
    assert now["excavation"]["redamaged"] > 0
    assert now["occupation"]["restored"] > 0


def test_data_holds_cells_pieces_and_what_they_stand_on(small_books: SimpleNamespace) -> None:
    data = edition_data(small_books.draft, small_books.reviewer)
    assert len(data.cells) == 60
    assert data.cells.crs.to_epsg() == 4490
    assert (data.pieces["decision"] == "").sum() == 4
    restored = data.pieces[data.pieces["decision"] == "restored"]
    assert {proof["file_name"] for proofs in restored["evidence"] for proof in proofs} == {"验收文件.pdf"}
    assert [m.code for m in data.mines] == ["KS001", "KS002"]
    assert sum(r.monitored_cm2 for r in data.regions) == data.cells["area_cm2"][data.cells.flow != "exit"].sum()
    assert {row["year"] for row in data.history} == {2022}
    assert data.edition.based_on == "2022 v1"
    assert data.outlines is not None
    assert set(data.outlines["what"]) == {"mine", "licence", "region", "unobserved"}


def test_regions_and_mines_add_up_to_the_whole(small_books: SimpleNamespace) -> None:
    whole = edition_data(small_books.draft, small_books.reviewer, outlines=False)
    parts = [
        edition_data(small_books.draft, small_books.reviewer, region=code, outlines=False)
        for code in ("652302", "652327")
    ]
    assert sum(len(part.cells) for part in parts) == len(whole.cells)
    assert sum(part.pieces["area_cm2"].sum() for part in parts) == whole.pieces["area_cm2"].sum()
    assert [m.code for m in parts[0].mines] == ["KS001"]
    mine = edition_data(small_books.draft, small_books.reviewer, mine=small_books.mines[0], outlines=False)
    assert set(mine.cells["mine_id"]) == {str(small_books.mines[0].pk)}


def test_only_reviewers_and_managers_see_ground_outside_licences(small_books: SimpleNamespace) -> None:
    for person, seen in ((small_books.reviewer, True), (small_books.manager, True), (small_books.analyst, False)):
        data = edition_data(small_books.draft, person, outlines=False)
        assert bool(data.cells["outside_licence"].any()) is seen
    assert not edition_data(small_books.draft, None, outlines=False).cells["outside_licence"].any()


def test_viewers_see_published_editions_only(small_books: SimpleNamespace, make_user: Any) -> None:
    assert list(editions_visible(small_books.viewer)) == [small_books.published]
    data = edition_data(small_books.published, small_books.viewer, outlines=False)
    assert {mine.licence_no for mine in data.mines} == {""}
    with pytest.raises(MineGISError, match="E-API-04"):
        edition_data(small_books.draft, small_books.viewer)
    stranger = make_user("reviewer", small_books.regions.turpan)
    with pytest.raises(MineGISError, match="E-API-04"):
        edition_data(small_books.published, stranger)


def test_queue_filters_and_orders(small_books: SimpleNamespace) -> None:
    def queue(**wanted: Any) -> list[Any]:
        return list(decision_queue(small_books.draft, small_books.reviewer, **wanted))

    assert len(queue(kind="new", decided=False)) == 2
    assert len(queue(kind="released", decided=False)) == 2
    assert {piece.decision for piece in queue(decision="restored")} == {"restored"}
    areas = [piece.area_cm2 for piece in queue()]
    assert areas == sorted(areas, reverse=True)
    assert all(piece.mine == small_books.mines[1] for piece in queue(mine=small_books.mines[1]))
    assert queue(min_area_cm2=areas[0] + 1) == []
