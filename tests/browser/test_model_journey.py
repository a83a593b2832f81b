"""A candidate is compared and promoted in the browser; a training draws its curves; by mouse, keyboard and phone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from landdamage.models import TrainedModel, Training

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_compare_and_promote(
    mined: SimpleNamespace,
    small_set: Any,
    add_model: Callable[..., TrainedModel],
    make_user: Callable[..., Any],
    open_page: Any,
    sign_in: Any,
    web_server: Any,
    work_off: Callable[[], None],
) -> None:
    model = add_model("changji-2m", sample_set=small_set)
    server = web_server()
    page = open_page(server.url)
    sign_in(page, make_user("manager"))
    page.click(".rail a[href='/models/']")
    expect(page.locator("h1")).to_have_text("模型")
    page.click("text=changji-2m")
    page.click("text=操作 >> nth=0")
    page.click("#deed-compare")
    expect(page.locator("#dialog select")).to_be_focused()
    page.keyboard.press("Tab")
    page.locator("#dialog button[type=submit]").press("Enter")
    expect(page.locator("#comparison-progress")).to_be_visible()
    work_off()
    expect(page.locator("#means tbody tr").first).to_be_visible()  # the page saw the end by itself
    assert page.locator(".confusion").count() == 2
    first = page.locator(".panel-row img").first
    first.scroll_into_view_if_needed()
    expect(first).to_have_js_property("naturalWidth", 48)
    assert page.locator(".panel-row").first.locator("img").count() == 4
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) == 0
    page.click("#promote")
    page.locator("#dialog textarea").fill("试用")
    page.locator("#dialog button[type=submit]").click()
    expect(page.locator("main .state-good").first).to_have_text("现用")
    assert overflow(page) == 0
    page.goto("/models/")
    assert overflow(page) == 0
    assert TrainedModel.objects.get(role="metre/BGR", state="promoted") == model


def test_curves_grow_while_a_network_learns(
    mined: SimpleNamespace, small_set: Any, open_page: Any, sign_in: Any, web_server: Any
) -> None:
    from landdamage.services.trainings import training_folder

    server = web_server()
    page = open_page(server.url)
    sign_in(page, mined.interpreter)
    page.goto(f"/models/trainings/?set={small_set.pk}")
    form = page.locator("form:has(select[name=sample_set])")
    form.locator("[name=name]").fill("tiny")
    form.locator("button.btn-primary").click()
    expect(page.locator("#training-progress")).to_be_visible()
    expect(page.locator("#no-curves")).to_be_visible()
    row = Training.objects.get()
    folder = training_folder(row) / "tiny"
    folder.mkdir(parents=True)
    lines = [f'{{"step": {k}, "loss": {2 - k / 100}}}' for k in range(1, 90, 10)]
    lines += [f'{{"step": {k}, "miou_foreground": {k / 200}, "boundary_f1": {k / 300}}}' for k in range(9, 90, 20)]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
    expect(page.locator("[data-last=miou_foreground]")).to_have_text("89: 44.5 %")
    expect(page.locator("#no-curves")).to_be_hidden()
    assert page.locator("#chart-loss svg path").count() > 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) == 0
    page.locator("button:has-text('取消')").press("Enter")
    expect(page.locator("#training-progress .state-bad")).to_be_visible()
