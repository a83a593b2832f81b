"""From a polygon file in the form to a finished sample set, on a wide screen and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_a_file_becomes_a_set_while_the_page_watches(
    mined: SimpleNamespace,
    polygon_file: Callable[..., Path],
    open_page: Any,
    sign_in: Any,
    web_server: Any,
    work_off: Callable[[], None],
) -> None:
    server = web_server()
    page = open_page(server.url)
    sign_in(page, mined.interpreter)
    page.click(".rail a[href='/models/']")
    page.click(".tabs a[href='/models/samples/']")
    expect(page.locator("h1")).to_have_text("样本")
    form = page.locator("form:has(input[type=file])")
    page.locator("details:has(input[type=file]) > summary").click()
    form.locator("[name=name]").fill("昌吉 2023")
    form.locator("[name=file]").set_input_files(polygon_file({0: "温室"}))
    form.locator("details > summary").click()
    form.locator("[name=tile]").fill("48")
    form.locator("[name=stride]").fill("36")
    form.locator("button.btn-primary").click()
    expect(page.locator("[role=alert]")).to_contain_text("E-VEC-10")
    form = page.locator("form:has(input[type=file])")
    expect(form.locator("[name=name]")).to_have_value("昌吉 2023")
    form.locator("[name=mapping]").fill("温室 = skip")
    form.locator("[name=file]").set_input_files(polygon_file({0: "温室"}))
    form.locator("details > summary").click()
    form.locator("[name=tile]").fill("48")
    form.locator("[name=stride]").fill("36")
    form.locator("button.btn-primary").click()
    expect(page.locator("#set-progress")).to_be_visible()
    work_off()
    expect(page.locator("#table-title")).to_be_visible()  # the page saw the end by itself
    expect(page.locator(".set-table tbody tr")).to_have_count(9)
    first = page.locator(".tile-grid img").first
    first.scroll_into_view_if_needed()
    expect(first).to_be_visible()
    expect(first).to_have_js_property("naturalWidth", 96)
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) == 0
    page.goto("/models/samples/")
    expect(page.locator("#sample-sets tbody tr")).to_have_count(1)
    assert overflow(page) == 0
    page.locator("details:has(input[type=file]) > summary").click()
    assert overflow(page) == 0
