"""Pages of the books: who may open them, numbers equal to the report's, decisions, dialogs, empty states."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from django.db.models import Sum
from django.urls import reverse
from PIL import Image
from rasterio.transform import from_bounds

from landdamage.accounting.states import Flow
from landdamage.models import ChangePiece, Delivery, Edition, Subsidence
from landdamage.pages.ledger import account_table, in_unit
from landdamage.reports.tables import build
from landdamage.selectors.behind import behind
from landdamage.selectors.editions import edition_data, edition_sums
from landdamage.services import editions
from landdamage.services.files import files
from tests.fixtures.books import SOUTH, STEP, WEST

pytestmark = pytest.mark.django_db
EN = {"Accept-Language": "en"}
FRAGMENT = EN | {"HX-Request": "true"}


@pytest.fixture
def books(small_books: SimpleNamespace) -> SimpleNamespace:
    return small_books


@pytest.fixture
def url(books: SimpleNamespace) -> Callable[..., str]:
    """``url(name, *args)``: an address of the draft's pages."""
    return lambda name, *args: reverse(name, args=[books.draft.pk, *args])


def _text(response: Any, status: int = 200) -> str:
    assert response.status_code == status, (response.status_code, response.content[:500])
    return response.content.decode()


def _cells(page: str, table: str) -> list[list[str]]:
    """Texts of a table's body, row by row."""
    body = re.search(rf'<table[^>]*id="{table}".*?<tbody>(.*?)</tbody>', page, re.S)
    assert body, table
    rows = re.findall(r"<tr.*?</tr>", body.group(1), re.S)
    strip = re.compile(r"<[^>]+>")
    return [
        [" ".join(strip.sub("", cell).split()) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)]
        for row in rows
    ]


# -- who may see what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["edition", "decisions", "edition-cells", "deliveries", "edition-progress"])
def test_an_edition_of_a_foreign_region_is_not_found(
    name: str, books: Any, url: Any, regions: Any, make_user: Any, client_for: Any
) -> None:
    stranger = client_for(make_user("analyst", regions.turpan))
    assert stranger.get(url(name)).status_code == 404
    piece = books.draft.pieces.first()
    assert stranger.get(reverse("piece", args=[piece.pk])).status_code == 404
    assert stranger.get(reverse("piece-chip", args=[piece.pk, "after"])).status_code == 404
    assert str(books.draft.pk) not in _text(stranger.get("/accounts/"))


def test_strangers_are_sent_to_the_login_page(client: Any, url: Any) -> None:
    for address in ("/accounts/", "/review/", url("edition"), url("decisions")):
        assert client.get(address)["Location"].startswith("/login/?next=")


def test_a_viewer_sees_published_editions_only(books: Any, url: Any, client_for: Any) -> None:
    viewer = client_for(books.viewer)
    page = _text(viewer.get("/accounts/", headers=EN))
    assert reverse("edition", args=[books.published.pk]) in page
    assert str(books.draft.pk) not in page
    assert viewer.get(url("edition")).status_code == 404
    assert "Damage stock" in _text(viewer.get(reverse("edition", args=[books.published.pk]), headers=EN))


def test_ground_outside_the_licence_is_flagged_for_those_who_may_know(books: Any, url: Any, client_for: Any) -> None:
    everywhere = "?bbox=-180,-90,180,90&zoom=18"
    told = {
        role: "outside" in _text(client_for(getattr(books, role)).get(url("edition-cells") + everywhere))
        for role in ("reviewer", "manager", "analyst", "interpreter")
    }
    assert told == {"reviewer": True, "manager": True, "analyst": False, "interpreter": False}


# -- the list ----------------------------------------------------------------------------------------------------------


def test_list_shows_figures_state_hash_and_marks(books: Any, client_for: Any) -> None:
    page = _text(client_for(books.analyst).get("/accounts/", headers=EN))
    stock = sum(kind["closing"] for kind in edition_sums(books.draft).values())
    assert f"{stock / 1e8:.2f}" in page
    assert books.published.content_sha256[:8] in page
    assert "incomplete" in page
    assert "Make the books" not in page  # no interpreted imagery yet


def test_list_without_editions_says_what_to_do(regions: Any, make_user: Any, client_for: Any) -> None:
    page = _text(client_for(make_user("analyst", regions.turpan)).get("/accounts/", headers=EN))
    assert "No books yet" in page
    assert "interpret them first" in page
    page = _text(client_for(make_user("reviewer", regions.turpan)).get("/accounts/", headers=EN))
    assert "An analyst of your region" in page
    assert "Nothing to decide" in _text(client_for(make_user("reviewer", regions.turpan)).get("/review/", headers=EN))


def test_an_edition_on_a_replaced_book_is_marked(books: Any, url: Any, client_for: Any) -> None:
    Edition.objects.filter(pk=books.published.pk).update(state="superseded")
    client = client_for(books.analyst)
    assert "based on an old version" in _text(client.get("/accounts/", headers=EN))
    assert "has been replaced since" in _text(client.get(url("edition"), headers=EN))


def test_making_the_books_queues_their_account(
    books: Any, regions: Any, client_for: Any, django_capture_on_commit_callbacks: Any
) -> None:
    analyst = client_for(books.analyst)
    with django_capture_on_commit_callbacks():
        response = analyst.post("/accounts/make/", {"year": "2024", "region": regions.changji.code})
    made = Edition.objects.get(year=2024)
    assert response["Location"] == reverse("edition", args=[made.pk])
    assert made.job is not None
    assert made.job.kind == "account"
    page = _text(analyst.get(response["Location"], headers=EN))
    assert "being computed" in page
    refused = client_for(books.viewer).post("/accounts/make/", {"year": "2025", "region": regions.changji.code})
    assert "E-API-03" in _text(refused, 403)


def test_another_version_of_a_published_year_asks_for_its_change_note(make_books: Any, client_for: Any) -> None:
    books = make_books(decided=True)
    analyst, manager = client_for(books.analyst), client_for(books.manager)
    draft = editions.edition_freeze(edition=books.draft, user=books.analyst, lock=books.draft.lock)
    where = {"year": "2023", "region": draft.region.code}
    assert "Version 1 of this year is open" in _text(analyst.get("/accounts/ask/", where, headers=FRAGMENT))
    draft = editions.edition_publish(edition=draft, user=books.manager, lock=draft.lock)
    dialog = _text(analyst.get("/accounts/ask/", where, headers=FRAGMENT))
    assert "2023 v2" in dialog
    assert 'name="change_note"' in dialog
    assert 'name="change_note"' not in _text(analyst.get("/accounts/ask/", where | {"year": "2024"}, headers=FRAGMENT))
    assert manager.get("/accounts/ask/", where).status_code == 403
    assert json.loads(_text(analyst.post("/accounts/make/", where, headers=FRAGMENT), 422))["code"] == "E-EDI-11"

    ask, do = (reverse(name, args=[draft.pk, "revise"]) for name in ("edition-ask", "edition-do"))
    assert "2023 v2" in _text(analyst.get(ask, headers=FRAGMENT))
    assert manager.get(ask, headers=FRAGMENT).status_code == 409
    refused = analyst.post(do, {"lock": draft.lock, "reason": " "}, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-11"
    made = analyst.post(do, {"lock": draft.lock, "reason": "two pits were outlined wrong"}, headers=FRAGMENT)
    second = Edition.objects.get(year=2023, version=2)
    assert made["HX-Redirect"] == reverse("edition", args=[second.pk])
    assert "two pits were outlined wrong" in _text(analyst.get(made["HX-Redirect"], headers=EN))
    assert analyst.get(ask, headers=FRAGMENT).status_code == 409  # one version at a time
    Edition.objects.filter(pk=second.pk).update(job=None, computed_at=draft.computed_at, results=draft.results)
    assert "two pits were outlined wrong" in _text(analyst.get(made["HX-Redirect"], headers=EN))


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["T1", "T2", "T3", "T4", "T5", "T6", "T9"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_tables_show_what_the_report_prints(books: Any, url: Any, client_for: Any, code: str, language: Any) -> None:
    response = client_for(books.reviewer).get(f"{url('edition')}?tab={code}", headers={"Accept-Language": language})
    table = build(edition_data(books.draft, books.reviewer, outlines=False), language)[code]
    assert _cells(_text(response), f"table-{code}") == [
        [" ".join(cell.text.split()) for cell in row.cells] for row in table.rows
    ]


@pytest.mark.parametrize("unit", ["hm2", "mu", "km2"])
def test_account_adds_up_in_every_unit(books: Any, url: Any, client_for: Any, unit: Any) -> None:
    page = _text(client_for(books.analyst).get(f"{url('edition')}?unit={unit}", headers=EN))
    table = in_unit(account_table(2023, edition_sums(books.draft), "en"), unit)
    assert _cells(page, "account") == [[cell.text for cell in row.cells] for row in table.rows]
    for column in table.columns[1:]:
        assert (
            sum(table.cell(row, column.key).value for row in table.parts()) == table.cell(table.total, column.key).value
        )
    assert f'id="figure-stock">{table.cell(table.total, "closing").text} ' in page


@pytest.mark.parametrize("code", ["T1", "T2", "T3", "T4", "T5", "T6"])
def test_converted_tables_keep_parts_and_totals_together(books: Any, code: str) -> None:
    table = in_unit(build(edition_data(books.draft, None, outlines=False), "en")[code], "mu")
    for i, column in enumerate(table.columns):
        if column.unit != "mu":
            continue
        top = table.total.cells[i]
        level = "subtotal" if any(row.level == "subtotal" for row in table.rows) else "part"
        parts = [row.cells[i] for row in table.rows if row.level == level]
        if top.exact == sum(cell.exact for cell in parts):
            assert sum(cell.value for cell in parts) == top.value, column.key
            assert abs(float(top.value) - top.exact * 3 / 20_000_000) <= 0.0501


def test_selecting_a_mine_narrows_figures_tables_and_map(books: Any, url: Any, client_for: Any) -> None:
    mine = books.mines[0]
    response = client_for(books.reviewer).get(f"{url('edition')}?mine={mine.pk}&tab=T3", headers=EN)
    page = _text(response)
    sums = edition_sums(books.draft, mine=mine)
    assert response.context["figures"].stock == sum(kind["closing"] for kind in sums.values())
    assert [row[0] for row in _cells(page, "table-T3")] == [mine.code, ""]
    assert response.context["edition_data"]["filter"] == {"mine": str(mine.pk)}


def test_every_figure_of_the_account_opens_the_ground_behind_it(books: Any, url: Any, client_for: Any) -> None:
    client = client_for(books.analyst)
    for kind, columns in edition_sums(books.draft).items():
        for column in ("opening", "new", "first_seen", "adj_plus", "restored", "adj_minus", "moved_in", "moved_out",
                       "exit", "closing", "pending", "carried", "undecided"):  # fmt: skip
            cells = books.draft.cells.filter(behind(column, kind))
            assert (cells.aggregate(s=Sum("area_cm2"))["s"] or 0) == columns[column], (kind, column)
            query = f"?bbox=-180,-90,180,90&zoom=20&column={column}&kind={kind}"
            shown = json.loads(_text(client.get(url("edition-cells") + query)))
            assert sum(f["properties"]["cm2"] for f in shown["features"]) == columns[column]


def test_map_answers_are_private_and_refuse_nonsense(books: Any, url: Any, client_for: Any) -> None:
    client = client_for(books.analyst)
    good = "?bbox=87,43,88,44&zoom=14"
    assert client.get(url("edition-cells") + good)["Cache-Control"] == "private, no-cache"
    for bad in ("", "?bbox=1,2,3&zoom=5", "?bbox=nan,0,1,1&zoom=5", "?bbox=0,0,1,1&zoom=99", f"{good}&column=x",
                f"{good}&kind=x", f"{good}&mine=x", f"{good}&column=new&state=x"):  # fmt: skip
        assert "E-API-01" in _text(client.get(url("edition-cells") + bad), 400), bad


# -- decisions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def reviewer(books: Any, client_for: Any) -> Any:
    return client_for(books.reviewer)


def _piece(books: Any, flow: str, kind: str = "new") -> ChangePiece:
    return books.draft.pieces.filter(kind=kind, decision=flow).first()


def test_queue_lists_large_doubtful_changes_first(books: Any, url: Any, reviewer: Any) -> None:
    first, second = books.draft.pieces.filter(kind="new", decision="").order_by("-area_cm2")
    response = reviewer.get(url("decisions"), headers=EN)
    assert [row.piece.pk for row in response.context["rows"]] == [first.pk, second.pk]
    ChangePiece.objects.filter(pk=second.pk).update(confidence=0.3)
    response = reviewer.get(url("decisions"), headers=FRAGMENT)
    assert [row.piece.pk for row in response.context["rows"]] == [second.pk, first.pk]
    counts = {entry.tab.code: entry.pieces for entry in response.context["tabs"]}
    assert counts == {"open": 2, "new": 6, "omission": 2, "rejected": 2, "pending": 2, "restored": 6, "corrected": 2}


def test_one_key_decision_moves_the_figures_and_can_be_undone(books: Any, url: Any, reviewer: Any) -> None:
    piece = _piece(books, "")
    before = edition_sums(books.draft)["excavation"]["new"]
    response = reviewer.post(url("decisions-decide"), {"pieces": f"{piece.pk}:{piece.lock}", "decision": "new"})
    assert response.status_code == 204
    told = json.loads(response["HX-Trigger"])["pieces-decided"]
    assert edition_sums(books.draft)["excavation"]["new"] == before + piece.area_cm2
    (undo,) = told["undo"]
    again = {"pieces": f"{undo['piece']}:{undo['lock']}", "decision": undo["decision"], "reason": undo["reason"]}
    assert reviewer.post(url("decisions-decide"), again).status_code == 204
    assert edition_sums(books.draft)["excavation"]["new"] == before


def test_refusals_come_with_their_code(books: Any, url: Any, reviewer: Any, client_for: Any) -> None:
    piece = _piece(books, "")
    post = {"pieces": f"{piece.pk}:{piece.lock}", "decision": "rejected"}
    refused = reviewer.post(url("decisions-decide"), post, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-07"
    ChangePiece.objects.filter(pk=piece.pk).update(author=books.reviewer)
    refused = reviewer.post(url("decisions-decide"), post | {"reason": "shadow"}, headers=FRAGMENT)
    assert json.loads(_text(refused, 403))["code"] == "E-EDI-05"
    assert "another reviewer must decide it" in _text(reviewer.get(reverse("piece", args=[piece.pk]), headers=EN))
    refused = client_for(books.analyst).post(url("decisions-decide"), post | {"decision": "new"}, headers=FRAGMENT)
    assert json.loads(_text(refused, 403))["code"] == "E-API-03"
    stale = reviewer.post(url("decisions-decide"), post | {"pieces": f"{piece.pk}:99"}, headers=FRAGMENT)
    assert stale.status_code == 409


def test_bulk_dialog_says_what_changes_before_the_deed(books: Any, url: Any, reviewer: Any) -> None:
    pieces = list(books.draft.pieces.filter(kind="new", decision=""))
    query = f"?pieces={','.join(str(p.pk) for p in pieces)}&decision=new"
    response = reviewer.get(url("decisions-ask") + query, headers=FRAGMENT)
    excavation = response.context["kinds"][0]
    before = edition_sums(books.draft)
    locks = response.context["locks"]
    assert reviewer.post(url("decisions-decide"), {"pieces": locks, "decision": "new"}).status_code == 204
    after = edition_sums(books.draft)
    assert excavation.effects[0].before.exact == before["excavation"]["new"]
    assert excavation.effects[0].after.exact == after["excavation"]["new"]
    assert sum(p.area_cm2 for p in pieces) == after["excavation"]["new"] - before["excavation"]["new"]
    everything = reviewer.get(f"{url('decisions-ask')}?all=1&tab=new&decision=new", headers=FRAGMENT)
    assert len(everything.context["pieces"]) == books.draft.pieces.filter(decision="new").count()


def test_restoration_needs_evidence_and_keeps_the_file(books: Any, url: Any, reviewer: Any, client_for: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    piece = _piece(books, "", "released")
    dialog = _text(reviewer.get(f"{url('decisions-ask')}?pieces={piece.pk}&decision=restored", headers=FRAGMENT))
    assert 'name="files"' in dialog
    assert "验收文件.pdf" in dialog
    post = {"pieces": f"{piece.pk}:{piece.lock}", "decision": "restored", "reason": "accepted", "mode": "natural",
            "accepted_on": "2023-09-01", "post_use": "03"}  # fmt: skip
    refused = reviewer.post(url("decisions-decide"), post, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-08"
    proof = SimpleUploadedFile("proof.pdf", b"%PDF-1.7 accepted", "application/pdf")
    assert reviewer.post(url("decisions-decide"), post | {"files": [proof]}).status_code == 204
    piece.refresh_from_db()
    assert piece.decision == Flow.RESTORED
    assert [e.file_name for e in piece.restoration.evidence.all()] == ["proof.pdf"]
    assert "proof.pdf" in _text(reviewer.get(reverse("piece", args=[piece.pk])))


def test_a_sealed_edition_offers_no_decision(make_books: Any, client_for: Any) -> None:
    books = make_books(decided=True)
    reviewer = client_for(books.reviewer)
    piece = _piece(books, "new")
    address = reverse("decisions", args=[books.draft.pk]) + "?tab=new"
    assert 'id="bulk"' in _text(reviewer.get(address, headers=EN))
    editions.edition_freeze(edition=books.draft, user=books.analyst, lock=books.draft.lock)
    assert 'id="bulk"' not in _text(reviewer.get(address, headers=EN))
    assert "Nothing can be decided here" in _text(reviewer.get(reverse("piece", args=[piece.pk]), headers=EN))


# -- images and files --------------------------------------------------------------------------------------------------


def test_chips_show_the_place_before_and_now(books: Any, reviewer: Any, client_for: Any, tmp_path: Any) -> None:
    piece = _piece(books, "")
    address = reverse("piece-chip", args=[piece.pk, "after"])
    assert reviewer.get(address).status_code == 404  # the scene has no stretch yet
    _give_image(books.scenes[1], tmp_path)
    response = reviewer.get(f"{address}?size=256")
    assert Image.open(io.BytesIO(response.content)).size == (256, 256)
    assert "private" in response["Cache-Control"]
    again = reviewer.get(f"{address}?size=256", headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304
    assert reviewer.get(reverse("piece-chip", args=[piece.pk, "before"])).status_code == 404
    page = _text(reviewer.get(reverse("piece", args=[piece.pk]), headers=EN))
    assert page.count("<img") == 1
    assert "No image shows this place" in page
    assert client_for(books.viewer).get(address).status_code == 404  # a draft is not theirs


def _give_image(scene: Any, tmp_path: Any) -> None:
    place = from_bounds(WEST, SOUTH, WEST + 10 * STEP, SOUTH + 6 * STEP, 60, 40)
    layout = {"driver": "GTiff", "count": 4, "height": 40, "width": 60, "dtype": "uint16", "crs": "EPSG:4490"}
    with rasterio.open(tmp_path / "scene.tif", "w", transform=place, nodata=0, **layout) as out:
        out.write(np.full((4, 40, 60), 700, np.uint16))
    scene.cog_sha256 = files().put(tmp_path / "scene.tif").sha256
    scene.stretch = {"low": [300.0] * 4, "high": [1200.0] * 4}
    scene.save()


def test_files_are_asked_for_listed_and_given_to_those_who_may_have_them(
    books: Any, url: Any, client_for: Any, regions: Any, make_user: Any
) -> None:
    analyst = client_for(books.analyst)
    assert "No file yet" in _text(analyst.get(url("edition"), headers=EN))
    page = _text(analyst.post(url("deliveries-ask"), {"kind": "report", "language": "zh"}, headers=FRAGMENT))
    made = Delivery.objects.get()
    assert made.options["language"] == "zh"
    assert 'hx-trigger="every 2s"' in page
    refused = analyst.post(url("deliveries-ask"), {"kind": "vectors", "format": "dwg"}, headers=FRAGMENT)
    assert refused.status_code in (403, 422)
    download = reverse("delivery-download", args=[made.pk])
    assert download not in page
    assert "E-DEL-03" in _text(analyst.get(download), 409)
    assert client_for(make_user("analyst", regions.turpan)).get(download).status_code == 404
    stored = files().put(io.BytesIO(b"PK report"))
    options = made.options | {"content_sha256": books.draft.content_sha256}
    Delivery.objects.filter(pk=made.pk).update(sha256=stored.sha256, bytes=9, file_name="report.zip", options=options)
    assert download in _text(analyst.get(url("deliveries"), headers=EN))
    assert b"".join(analyst.get(download).streaming_content) == b"PK report"


# -- the life of an edition --------------------------------------------------------------------------------------------


def test_freezing_tells_what_is_open_and_publishing_what_is_replaced(make_books: Any, client_for: Any) -> None:
    books = make_books(decided=True)
    analyst, manager = client_for(books.analyst), client_for(books.manager)
    draft = books.draft
    ask = reverse("edition-ask", args=[draft.pk, "freeze"])
    dialog = _text(analyst.get(ask, headers=FRAGMENT))
    stock = sum(kind["closing"] for kind in edition_sums(draft).values())
    assert f"{stock / 1e8:.2f} hm²" in dialog
    assert manager.get(ask, headers=FRAGMENT).status_code == 409  # no right of theirs in this state
    do = reverse("edition-do", args=[draft.pk, "freeze"])
    assert analyst.post(do, {"lock": 99}, headers=FRAGMENT).status_code == 409
    assert (
        reverse("edition", args=[draft.pk]) in analyst.post(do, {"lock": draft.lock}, headers=FRAGMENT)["HX-Redirect"]
    )
    draft.refresh_from_db()
    assert draft.state == "frozen"
    assert "Replaces" in _text(manager.get(reverse("edition-ask", args=[draft.pk, "publish"]), headers=FRAGMENT))
    publish = reverse("edition-do", args=[draft.pk, "publish"])
    assert analyst.post(publish, {"lock": draft.lock}, headers=FRAGMENT).status_code == 403
    manager.post(publish, {"lock": draft.lock}, headers=FRAGMENT)
    draft.refresh_from_db()
    assert draft.state == "published"
    withdraw = reverse("edition-do", args=[draft.pk, "withdraw"])
    refused = manager.post(withdraw, {"lock": draft.lock}, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-21"
    manager.post(withdraw, {"lock": draft.lock, "reason": "wrong scenes"}, headers=FRAGMENT)
    assert "wrong scenes" in _text(manager.get(reverse("edition", args=[draft.pk]), headers=EN))


def test_an_undecided_change_stands_in_the_way_of_freezing(books: Any, url: Any, client_for: Any) -> None:
    analyst = client_for(books.analyst)
    open_ = f'class="state-bad"><a href="{url("decisions")}"><b>2</b>'
    assert open_ in _text(analyst.get(url("edition-ask", "freeze"), headers=FRAGMENT))
    refused = analyst.post(url("edition-do", "freeze"), {"lock": books.draft.lock}, headers=FRAGMENT)
    assert json.loads(_text(refused, 409))["code"] == "E-EDI-03"


# -- subsidence --------------------------------------------------------------------------------------------------------

OUTLINE = (
    '{"type":"Polygon","coordinates":[[[87.51,43.51],[87.512,43.51],[87.512,43.512],[87.51,43.512],[87.51,43.51]]]}'
)


def test_subsidence_is_drawn_handed_in_and_accepted_by_other_eyes(
    books: Any, regions: Any, client_for: Any, make_user: Any
) -> None:
    author, reviewer = client_for(books.interpreter), client_for(books.reviewer)
    assert "No sunken ground recorded" in _text(author.get("/subsidence/", headers=EN))
    assert regions.changji.code in _text(author.get("/subsidence/new/", headers=FRAGMENT))
    post = {"geometry": OUTLINE, "surveyed_on": "2023-06-01", "region": regions.changji.code, "method": "InSAR"}
    for wrong in ({"geometry": "POLYGON"}, {"surveyed_on": "yesterday"}):
        assert author.post("/subsidence/draw/", post | wrong, headers=FRAGMENT).status_code == 400, wrong
    response = author.post("/subsidence/draw/", post, headers=FRAGMENT)
    assert response.get("HX-Redirect") == "/subsidence/", response.content.decode()
    drawn = Subsidence.objects.get()
    assert drawn.author == books.interpreter
    assert client_for(make_user("reviewer", regions.turpan)).get(
        reverse("subsidence-ask", args=[drawn.pk, "accepted"])
    ).status_code == 404  # fmt: skip
    do = {name: reverse("subsidence-do", args=[drawn.pk, name]) for name in ("submit", "accepted", "returned")}
    author.post(do["submit"], {"lock": drawn.lock}, headers=FRAGMENT)
    drawn.refresh_from_db()
    assert drawn.state == "submitted"
    assert "Accept" in _text(reviewer.get("/subsidence/", headers=EN))
    refused = reviewer.post(do["returned"], {"lock": drawn.lock}, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-21"
    assert author.post(do["accepted"], {"lock": drawn.lock}, headers=FRAGMENT).status_code == 403
    reviewer.post(do["accepted"], {"lock": drawn.lock}, headers=FRAGMENT)
    drawn.refresh_from_db()
    assert (drawn.state, drawn.reviewer) == ("accepted", books.reviewer)
