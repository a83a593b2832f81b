"""From a scene to labelled superpixels by keys alone; a lost link loses nothing; on a phone by buttons."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from landdamage.models import LabelPlate, LabelSheet
from landdamage.selectors.labelling import labels_of
from landdamage.services.labelling import plate_request

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def said(plate: LabelPlate) -> dict[int, int]:
    return labels_of(LabelSheet.objects.get(plate=plate))


def test_one_key_a_piece(
    mined: SimpleNamespace, open_page: Any, sign_in: Any, web_server: Any, work_off: Callable[[], None]
) -> None:
    page = open_page(web_server().url)
    sign_in(page, mined.interpreter)
    page.goto("/models/samples/")
    page.click(".bar a[href='/models/labels/']")
    page.locator("[name=window]").fill("64")
    page.locator("[name=side_px]").fill("16")
    page.click("form .btn-primary")
    expect(page.locator("#plate-progress")).to_be_visible()
    work_off()
    expect(page.locator("#plate-map[data-ready]")).to_be_visible()  # the page saw the end by itself
    plate = LabelPlate.objects.get()
    count = len(plate.pixels)
    expect(page.locator("path.superpixel")).to_have_count(count)
    here = page.locator("#plate-map")
    expect(here).to_have_attribute("data-piece", "1")
    page.keyboard.press("7")
    expect(here).to_have_attribute("data-piece", "2")
    page.keyboard.press("0")
    page.keyboard.press("Space")
    page.keyboard.press("u")
    expect(here).to_have_attribute("data-piece", "5")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Tab")
    expect(here).to_have_attribute("data-piece", "6")
    page.keyboard.press("5")
    expect(here).to_have_attribute("data-piece", "7")
    expect(page.locator("#saved")).to_have_text("全部标注已保存")
    assert said(plate) == {1: 7, 2: 0, 3: 255, 4: 255, 6: 5}
    page.keyboard.press("Control+z")
    expect(here).to_have_attribute("data-piece", "6")
    assert said(plate) == {1: 7, 2: 0, 3: 255, 4: 255}
    share = 100 * sum(plate.pixels[:4]) / sum(plate.pixels)
    expect(page.locator("#total")).to_have_text(f"{share:.1f} %")

    address = page.url
    page.goto("about:blank")  # a lost link is an error on the console, and pages with errors there fail
    page = page.context.new_page()
    page.goto(address)
    expect(page.locator("#plate-map[data-ready]")).to_be_visible()
    here = page.locator("#plate-map")
    expect(here).to_have_attribute("data-piece", "5")  # the first one nobody has spoken of
    page.context.set_offline(True)
    page.keyboard.press("4")
    expect(page.locator("#saved")).to_contain_text("网络中断：1 个标注")
    page.context.set_offline(False)
    expect(page.locator("#saved")).to_have_text("全部标注已保存")
    assert said(plate)[5] == 4
    page.reload()
    expect(page.locator("#plate-map[data-ready]")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(here).to_have_attribute("data-piece", "5")  # undo outlives the page
    expect(page.locator("#where")).to_contain_text("—")
    assert 5 not in said(plate)


def test_two_windows_of_one_person_and_a_phone(
    mined: SimpleNamespace, open_page: Any, sign_in: Any, web_server: Any, work_off: Callable[[], None]
) -> None:
    plate = plate_request(scene=mined.scenes[0], user=mined.interpreter, window=64, side_px=16)
    work_off()
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, mined.interpreter)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/models/labels/")
    assert overflow(page) == 0
    page.click("#plates a")
    other = page.context.new_page()
    other.goto(page.url)
    for one in (page, other):
        expect(one.locator("#plate-map[data-ready]")).to_be_visible()
        assert overflow(one) == 0
    page.click("[data-label='7']")
    expect(page.locator("#saved")).to_have_text("Every label is saved")
    other.click("[data-step='1']")
    other.click("[data-label='255']")
    expect(other.locator("#saved")).to_have_text("Every label is saved")
    expect(other.locator("#plate-map")).to_have_attribute("data-piece", "3")
    assert said(plate) == {1: 7, 2: 255}
    assert LabelSheet.objects.get().version == 2
    expect(other.locator("#where")).to_contain_text("3 of")
