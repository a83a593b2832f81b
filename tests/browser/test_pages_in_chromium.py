"""What only a browser can tell: narrow screens, themes, coordinates, faults of an upload."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pyproj import Transformer

from tests.fixtures.browsing import follow
from tests.fixtures.interpreted import EAST, NORTH

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def interpreter(interpreted: Any, make_user: Callable[..., Any], region: Any) -> Any:
    return make_user("interpreter", region)


def test_no_page_scrolls_sideways_on_a_phone(
    interpreted: Any, interpreter: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url, width=390, height=844)
    page.goto("/login/")
    assert _overflow(page) == 0
    sign_in(page, interpreter)
    for language in ("zh-hans", "en"):
        for path in ("/", "/scenes/", "/jobs/", f"/scenes/{interpreted.scene_id}/"):
            page.goto(path)
            assert _overflow(page) == 0, (language, path)
            assert page.locator("html").get_attribute("lang") == language
        follow(page.locator("form[action='/language/'] button"))


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_theme_is_kept_and_painted_by_the_server(
    interpreter: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url)
    sign_in(page, interpreter)
    page.click("#theme")
    page.goto("/jobs/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_grid_coordinates_in_the_foot_are_those_of_proj(
    interpreted: Any, interpreter: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, interpreter)
    lon, lat = Transformer.from_crs(4538, 4490, always_xy=True).transform(EAST + 128, NORTH - 128)
    page.goto(f"/scenes/{interpreted.scene_id}/#18/{lat:.7f}/{lon:.7f}")
    zone = page.locator("#map-foot [data-zone]")
    expect(zone).to_contain_text("zone 29 (87°E)")
    x, y = (int(part.replace(",", "")) for part in re.findall(r"[XY] ([\d,]+) m", zone.text_content() or ""))
    assert (x, y) == pytest.approx((NORTH - 128, EAST + 128), abs=1)


def test_address_reproduces_the_view(
    interpreted: Any, interpreter: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url)
    sign_in(page, interpreter)
    page.goto(f"/scenes/{interpreted.scene_id}/?hide=1&opacity=35&swipe=0.25&confidence=80")
    expect(page.locator("path.patch")).to_have_count(2)  # pit and pond; vegetation is hidden
    expect(page.locator("[data-class='1']")).not_to_be_checked()
    expect(page.locator("#opacity")).to_have_value("35")
    expect(page.locator("#swipe")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#confidence-value")).to_have_text("≥ 80 %")


def test_year_and_mine_selection_keep_map_and_numbers_together(
    interpreted: Any, interpreter: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url)
    sign_in(page, interpreter)
    page.click("tr[data-mine] button")
    expect(page.locator(".mine-disc.selected")).to_have_count(1)
    assert "mine=M1" in page.url
    page.evaluate("document.getElementById('overview-map').dataset.kept = 'yes'")
    page.click(".years a")
    page.wait_for_url(re.compile("year=2022"))
    expect(page.locator("#overview-map[data-kept=yes] .leaflet-tile-pane")).to_have_count(1)
    expect(page.locator(".mine-disc")).to_have_count(1)


def test_a_fault_of_an_upload_is_told_with_its_remedy(
    interpreter: Any, open_page: Any, sign_in: Any, web_server: Any, celery_worker: Any, tmp_path: Path
) -> None:
    celery_worker("cpu")
    page = open_page(web_server().url)
    sign_in(page, interpreter)
    page.goto("/scenes/")
    fake = tmp_path / "notes.tif"
    fake.write_text("this is no image")
    page.set_input_files("#drop input[type=file]", fake)
    row = page.locator("#scenes-table tbody tr", has_text="notes.tif")
    expect(row).to_contain_text("E-FMT")
    follow(row.locator("th a"))
    expect(page.locator(".scene-side .finding .hint").first).not_to_be_empty()


def test_administration_and_api_documentation_need_nobody_else(
    interpreted: Any, make_user: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, make_user(is_staff=True, is_superuser=True))
    page.goto("/api/docs/")
    expect(page.locator(".opblock").first).to_be_visible()
    page.goto("/admin/")
    expect(page.locator("#site-name")).to_be_visible()
    mine = interpreted.patches.exclude(mine=None).first().mine
    page.goto(f"/admin/registry/mine/{mine.pk}/change/")
    expect(page.locator(".leaflet-container path").first).to_be_attached()
