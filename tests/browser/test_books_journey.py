"""The books as people make them: decide by keyboard and in bulk, freeze, publish, with the network cut off."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from playwright.sync_api import Page, expect
from rasterio.transform import from_bounds

from landdamage.models import Edition
from landdamage.selectors.editions import edition_sums
from landdamage.selectors.reviews import tailings_open
from minegis import units
from tests.fixtures.books import SOUTH, STEP, WEST, add_patches
from tests.fixtures.browsing import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def books(make_books: Callable[..., SimpleNamespace], tmp_path: Path) -> SimpleNamespace:
    """The small books with a real image behind each year's scene."""
    from landdamage.services.files import files

    books = make_books()
    east, north = WEST + 10 * STEP, SOUTH + 6 * STEP
    for number, scene in enumerate(books.scenes):
        pixels = np.random.default_rng(number).normal(600 + 200 * number, 60, (4, 300, 400)).astype("uint16")
        path = tmp_path / f"scene{number}.tif"
        layout: dict[str, Any] = {"driver": "GTiff", "count": 4, "height": 300, "width": 400, "dtype": "uint16"}
        place = from_bounds(WEST, SOUTH, east, north, 400, 300)
        with rasterio.open(path, "w", crs="EPSG:4490", transform=place, nodata=0, tiled=True, **layout) as out:
            out.write(pixels)
        scene.cog_sha256 = files().put(path).sha256
        scene.stretch = {"low": [300.0] * 4, "high": [1200.0] * 4}
        scene.save()
    return books


def _new(books: SimpleNamespace) -> int:
    return sum(kind["new"] for kind in edition_sums(books.draft).values())


def test_decide_freeze_and_publish(
    books: SimpleNamespace,
    open_page: Callable[..., Page],
    sign_in: Callable[[Page, Any], None],
    web_server: Any,
    tmp_path: Path,
) -> None:
    server = web_server()
    before = _new(books)
    page = open_page(server.url, language="en-GB")
    sign_in(page, books.reviewer)

    # One change by one key: the list moves on, and Ctrl-Z brings it back.
    follow(page.locator(".rail >> text=Review"))
    expect(page.locator("#queue li")).to_have_count(2)
    expect(page.locator("#piece img")).to_have_count(2)
    for image in page.locator("#piece img").all():
        expect(image).to_have_js_property("naturalWidth", 384)
    first = page.locator("#queue li.selected").get_attribute("data-piece")
    page.keyboard.press("j")
    expect(page.locator("#queue li.selected")).not_to_have_attribute("data-piece", str(first))
    page.keyboard.press("k")
    expect(page.locator("#queue li.selected")).to_have_attribute("data-piece", str(first))
    expect(page.locator(f"#piece [data-piece='{first}']")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("#queue li")).to_have_count(1)
    assert _new(books) > before
    page.keyboard.press("Control+z")
    expect(page.locator("#queue li")).to_have_count(2)
    assert _new(books) == before

    # A reason is asked where one is needed.
    expect(page.locator(f"#piece [data-piece='{first}'] [data-key=r]")).to_be_visible()
    page.wait_for_load_state("networkidle")  # the undone change is loaded once more, which replaces its buttons
    page.keyboard.press("r")
    expect(page.locator("#dialog #reason")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()

    # Many at once, with what it does to the totals shown before.
    page.check("#pick-all")
    expect(page.locator("#picked-count")).to_have_text("2")
    page.click("#bulk")
    row = page.locator("#effects tbody tr").last
    shown = [units.to_hm2(before), units.to_hm2(before + sum(p.area_cm2 for p in _open(books)))]
    expect(row.locator("td").first).to_have_text(re.compile(rf"{shown[0]}\s*{shown[1]}"))
    page.click("#dialog button[type=submit]")
    expect(page.locator("#queue .empty-state")).to_contain_text("Everything newly seen is decided")
    assert units.to_hm2(_new(books)) == shown[1]

    # The edition shows it; a figure opens the ground behind it on the map.
    follow(page.locator(".bar .crumb"))
    expect(page.locator("#figure-new")).to_contain_text(str(shown[1]))
    expect(page.locator("#chart-new svg")).to_be_visible()
    everything = page.locator("path.cell").count()
    page.locator("#account tr.row-total td[data-column=new] a").click()
    expect(page.locator("path.cell")).to_have_count(books.draft.cells.filter(flow="new").count())
    assert "column=new" in page.url
    assert everything > page.locator("path.cell").count()
    page.select_option("#unit", "mu")
    expect(page.locator("#figure-new")).to_contain_text(str(units.to_mu(_new(books))))
    assert "column=new" in page.url

    # Tables, charts and map follow one selection.
    page.click(".tabs >> text=Mines")
    page.click("#table-T3 tbody tr:first-child a")
    expect(page.locator("#mine")).to_have_value(str(books.mines[0].pk))
    mine_cells = books.draft.cells.filter(flow="new", mine=books.mines[0]).count()
    expect(page.locator("path.cell")).to_have_count(mine_cells)
    page.go_back()
    expect(page.locator("#mine")).to_have_value("")

    # The analyst freezes, the manager publishes; each dialog says what it does.
    page.context.close()
    for user, name, state in ((books.analyst, "freeze", "Frozen"), (books.manager, "publish", "Published")):
        page = open_page(server.url, language="en-GB")
        sign_in(page, user)
        follow(page.locator(".rail >> text=Accounts"))
        follow(page.locator("#accounts-table tbody th a >> nth=0"))
        page.click("text=Actions")
        page.click(f"#deed-{name}")
        expect(page.locator("#dialog .facts")).to_contain_text(f"{shown[1]} hm²")
        page.click("#dialog button[type=submit]")
        expect(page.locator(".bar .state")).to_contain_text(state)
        if name == "freeze":
            _import_an_earlier_year(page, books, tmp_path)
        page.context.close()  # before the server goes away under its polls
    books.draft.refresh_from_db()
    assert books.draft.state == "published"
    assert units.to_hm2(_new(books)) == shown[1]


def _import_an_earlier_year(page: Page, books: SimpleNamespace, folder: Path) -> None:
    """Polygons of 2021 become the opening book, once the report's question is answered."""
    east = WEST + 2 * STEP
    shapes = [shapely.box(WEST, SOUTH, WEST + STEP, SOUTH + STEP), shapely.box(WEST + STEP, SOUTH, east, SOUTH + STEP)]
    frame = gpd.GeoDataFrame({"DWMC": ["露天采场", "矿山建筑"]}, geometry=shapes, crs=4490)
    pyogrio.write_dataframe(frame, folder / "旧图斑.gpkg")
    follow(page.locator(".rail >> text=Accounts"))
    follow(page.locator(".bar >> text=Import an earlier year"))
    expect(page.locator("#year")).to_have_value("2021")
    page.set_input_files("input[name=file]", folder / "旧图斑.gpkg")
    expect(page.locator("[data-file-name]")).to_contain_text("旧图斑.gpkg")
    page.check("input[value=unknown]")
    page.press("#year", "Enter")
    expect(page.locator("[data-verdict]")).to_be_focused()
    expect(page.locator("#report")).to_contain_text("E-VEC-11")
    expect(page.locator("#book")).to_have_count(0)
    page.select_option("[aria-label='Means: 矿山建筑']", "living_area")
    page.click("#report >> text=Check again")
    total = units.to_hm2(sum(units.area_cm2(shape) for shape in shapes))
    expect(page.locator("#opening-states tfoot")).to_contain_text(str(total))
    page.check("input[value=whole]")
    page.click("#book")  # the report was about another answer: shown again, not booked
    expect(page.locator("#report")).to_contain_text("has changed since the last check")
    assert not Edition.objects.filter(year=2021).exists()
    follow(page.locator("#book"))
    expect(page.locator(".bar h1")).to_contain_text("2021")
    edition = Edition.objects.get(year=2021)
    assert (edition.is_opening, edition.inputs["coverage"], edition.created_by) == (True, "whole", books.analyst)


def _open(books: SimpleNamespace) -> list[Any]:
    return list(books.draft.pieces.filter(kind="new", decision=""))


def test_pages_of_the_books_fit_a_phone(
    books: SimpleNamespace, open_page: Callable[..., Page], sign_in: Callable[[Page, Any], None], web_server: Any
) -> None:
    page = open_page(web_server().url, width=390, height=844, language="en-GB")  # its words are the longer ones
    sign_in(page, books.reviewer)
    add_patches(books)
    books_of = f"/editions/{books.draft.pk}"
    for path in ("/accounts/", f"{books_of}/?tab=T3", f"{books_of}/decisions/", f"{books_of}/tailings/",
                 f"{books_of}/waters/", "/hydrography/"):  # fmt: skip
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0, path
    page.context.close()


def test_tailings_ponds_are_reviewed_by_keyboard(
    books: SimpleNamespace, open_page: Callable[..., Page], sign_in: Callable[[Page, Any], None], web_server: Any
) -> None:
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, books.reviewer)
    page.goto(f"/editions/{books.draft.pk}/decisions/")
    add_patches(books)  # only now: the overview would ask for tiles of a run that has no raster
    page.reload()
    follow(page.locator(".review-parts >> text=Tailings ponds"))
    expect(page.locator("#blocking")).to_have_text("2 block freezing")
    doubtful = page.locator(f"#patch [data-patch='{books.ponds[1].pk}']")
    expect(doubtful).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#blocking")).to_have_text("1 block freezing")
    expect(page.locator(f"#patch [data-patch='{books.ponds[0].pk}']")).to_be_visible()
    page.wait_for_load_state("networkidle")  # loads that are under way would replace what the key asks for
    page.keyboard.press("r")
    page.check("#dialog input[value=natural]")
    page.fill("#dialog #reason", "A reservoir")
    page.click("#dialog button[type=submit]")
    expect(page.locator("#queue .empty-state")).to_contain_text("Every tailings pond is reviewed")
    expect(page.locator("#unread")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+z")
    expect(page.locator("#queue li.selected")).to_have_attribute("data-patch", str(books.ponds[0].pk))
    assert list(tailings_open(books.draft)) == [books.ponds[0]]
    page.context.close()


def test_sunken_ground_is_drawn_on_the_map(
    books: SimpleNamespace, open_page: Callable[..., Page], sign_in: Callable[[Page, Any], None], web_server: Any
) -> None:
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, books.interpreter)
    page.goto("/subsidence/")
    page.click("#draw")
    expect(page.locator(".geoman-draw-cursor")).to_be_attached()
    box = page.locator("#subsidence-map").bounding_box()
    assert box is not None
    corners = [(0.3, 0.3), (0.6, 0.3), (0.6, 0.6), (0.3, 0.3)]
    for x, y in corners:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    expect(page.locator("#dialog #surveyed-on")).to_be_visible()
    expect(page.locator("#drawn-geometry")).to_have_value(re.compile('"Polygon"'))
    page.fill("#surveyed-on", "2023-06-01")
    page.click("#dialog button[type=submit]")
    expect(page.locator("[data-subsidence]")).to_have_count(1)
    expect(page.locator("path.subsidence.state-draft")).to_have_count(1)
    page.context.close()
