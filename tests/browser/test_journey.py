"""From signing in to areas on a map, as a person does it, with the network cut off but for the server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.gis.geos import Point
from playwright.sync_api import Page, expect

from minegis import units
from tests.fixtures.browsing import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _number(text: str) -> str:
    return re.sub(r"[^\d.]", "", text)


def test_upload_watch_look_and_switch_language(
    open_page: Callable[..., Page],
    sign_in: Callable[[Page, Any], None],
    web_server: Callable[..., Any],
    celery_worker: Callable[..., Any],
    make_user: Callable[..., Any],
    regions: Any,
    small_scene: Path,
) -> None:
    from landdamage import selectors
    from landdamage.models import Patch, Scene
    from minegis.registry.models import SRID, Camera

    user = make_user("interpreter", regions.changji)
    camera = Camera.objects.create(
        code="CAM-1", name_zh="东帮", name_en="East wall", region=regions.fukang,
        location=Point(87.0, 43.0, srid=SRID), stream_address="rtsp://10.0.0.8/live",
    )  # fmt: skip
    celery_worker("cpu", "gpu")
    page = open_page(web_server().url)

    sign_in(page, user)
    expect(page.locator(".empty-state h2")).to_have_text("还没有解译结果")

    # Upload and watch it finish; the table follows by itself.
    follow(page.locator(".rail >> text=影像"))
    page.set_input_files("#drop input[type=file]", small_scene)
    row = page.locator("#scenes-table tbody tr", has_text=small_scene.name)
    expect(row).to_have_count(1)
    expect(row.locator(".state-good", has_text="已完成")).to_have_count(1, timeout=240_000)

    # The result on the map, the areas beside it.
    follow(row.locator("th a"))
    expect(page.locator("path.patch").first).to_be_attached()
    scene = Scene.objects.get()
    run = scene.runs.get(is_current=True)
    assert page.locator("path.patch").count() == Patch.objects.filter(run=run).count() > 0
    shown = page.locator(".map-legend tbody tr").evaluate_all(
        "rows => rows.filter(row => row.cells.length > 1).map(row => row.cells[1].textContent)"
    )
    assert [_number(cell) for cell in shown] == [
        _number(str(units.to_hm2(area.cm2))) for area in selectors.run_areas(run)
    ]

    # A patch tells what it is; classes and weak patches can be hidden.
    page.locator("path.patch").first.dispatch_event("click")
    expect(page.locator(".patch-popup")).to_contain_text("置信度")
    largest = max(selectors.run_areas(run), key=lambda area: area.patches)
    everything = page.locator("path.patch").count()
    page.keyboard.press(str(largest.land_class.id))
    expect(page.locator("path.patch")).to_have_count(everything - largest.patches)
    assert f"hide={largest.land_class.id}" in page.url
    page.keyboard.press(str(largest.land_class.id))
    expect(page.locator("path.patch")).to_have_count(everything)
    page.locator("#confidence").fill("99")
    sure = Patch.objects.filter(run=run, confidence__gte=0.99).count()
    expect(page.locator("path.patch")).to_have_count(sure)
    page.locator("#confidence").fill("0")

    # Swipe by keyboard alone: the divider takes the focus and moves with the arrow keys.
    page.keyboard.press("Escape")
    page.locator("#swipe").focus()
    page.keyboard.press("Enter")
    before = page.locator(".leaflet-result-pane").evaluate("pane => pane.style.clipPath")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".leaflet-result-pane").evaluate("pane => pane.style.clipPath") != before != ""

    # The other language, at the same place and in the same view.
    follow(page.locator("text=EN"))
    expect(page.locator(".map-legend summary")).to_have_text("Legend")
    expect(page.locator("#swipe")).to_have_attribute("aria-pressed", "true")
    user.refresh_from_db()
    assert user.language == "en"

    # The year's numbers are those of the scene.
    follow(page.locator(".rail >> text=Overview"))
    damage = units.to_hm2(sum(selectors.run_kinds(run).get(kind, 0) for kind in selectors.DAMAGE_ORDER))
    expect(page.locator("#damage")).to_contain_text(f"{damage:,}")
    expect(page.locator("#classes tbody tr")).to_have_count(7)

    # A camera of the region stands on the map and leads to its page.
    mark = page.locator(".camera-mark")
    expect(mark).to_have_attribute("title", "CAM-1 · East wall")
    mark.dispatch_event("click")
    page.wait_for_url(f"**/video/cameras/{camera.pk}/")

    follow(page.locator(".rail >> text=Jobs"))
    expect(page.locator("#jobs-table .state-good")).to_have_count(2)
