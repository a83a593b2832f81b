"""The ground a scene does not show: seen on its page, corrected by hand, undone, saved."""

from __future__ import annotations

import re
from typing import Any

import pytest
import shapely
from playwright.sync_api import Page, expect

from tests.fixtures.interpreted import EAST, NORTH

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def clouded(interpreted: Any) -> Any:
    """The interpreted scene with one cloud over its middle."""
    from landdamage.models import ObservationMask
    from landdamage.services.observation import observed_without
    from minegis import units
    from tests.fixtures.interpreted import _multi

    cloud = units.reproject(shapely.box(EAST + 90, NORTH - 200, EAST + 150, NORTH - 120), 4538)
    seen = observed_without(interpreted.scene, cloud)
    return ObservationMask.objects.create(
        scene=interpreted.scene, geom=_multi(seen), method="automatic", cloud_share=0.05, shadow_share=0.024
    )


def _scene(page: Page, mask: Any) -> None:
    page.goto(f"/scenes/{mask.pk}/")
    expect(page.locator("path.unobserved")).to_have_count(1)


def test_unobserved_ground_is_hatched_and_can_be_hidden(
    clouded: Any, person: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url)
    sign_in(page, person("analyst"))
    _scene(page, clouded)
    expect(page.locator("[data-observation=cloud]")).to_have_text("5.0 %")
    expect(page.locator("[data-observation=unobserved]")).to_have_text("7.3 %")
    expect(page.locator("path.unobserved")).to_have_attribute("fill", "url(#hatch-unobserved)")
    page.uncheck("#unobserved")
    expect(page.locator("path.unobserved")).to_be_hidden()
    expect(page).to_have_url(re.compile("unobserved=0"))
    assert page.locator("#observation-edit").count() == 0  # an analyst reads masks and draws none


def test_a_cloud_is_drawn_undone_drawn_again_and_saved(
    clouded: Any, person: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, person("interpreter"))
    _scene(page, clouded)
    before = clouded.geom.area
    page.click("#observation-edit")
    undo, save = page.locator("[data-tool=undo]"), page.locator("[data-tool=save]")
    expect(undo).to_be_disabled()
    page.click("[data-tool=draw]")
    _outline(page)
    expect(undo).to_be_enabled()
    undo.click()
    expect(undo).to_be_disabled()
    page.click("[data-tool=draw]")
    _outline(page)
    expect(undo).to_be_enabled()
    save.click()
    expect(page.locator("#observation-tools")).to_be_hidden()
    clouded.refresh_from_db()
    assert (clouded.method, clouded.lock, clouded.edited_by.username) == ("manual", 2, "interpreter-652300")
    assert clouded.geom.area < 0.99 * before
    expect(page.locator("[data-observation=method]")).to_have_text("Corrected by hand")


def _outline(page: Page) -> None:
    """A triangle in the upper left part of the map, closed on its first point."""
    box = page.locator("#scene-map").bounding_box()
    assert box
    points = [(0.30, 0.30), (0.42, 0.30), (0.42, 0.45), (0.30, 0.30)]
    for x, y in points:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
