"""A night clip, by somebody who knows no command line: sent, made bright, watched beside its original."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_video_journey import SETTLED, SHOTS, shoot, world  # noqa: F401
from tests.fixtures.browsing import follow
from tests.fixtures.clips import night_pictures, write_clip

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Mean luma, 0 to 255, of what the browser decoded of original and result.
LUMAS = """() => ["before", "after"].map((id) => {
  const canvas = document.createElement("canvas");
  canvas.width = 80; canvas.height = 45;
  const context = canvas.getContext("2d");
  context.drawImage(document.getElementById(id), 0, 0, 80, 45);
  const p = context.getImageData(0, 0, 80, 45).data;
  let sum = 0;
  for (let i = 0; i < p.length; i += 4) sum += 0.299 * p[i] + 0.587 * p[i + 1] + 0.114 * p[i + 2];
  return sum / (p.length / 4);
})"""


def test_a_night_clip_is_watched_bright_beside_its_original(
    open_page: Callable[..., Page], sign_in: Callable[[Page, Any], None], web_server: Callable[..., Any],
    celery_worker: Callable[..., Any], world: Any, tmp_path: Path,  # noqa: F811
) -> None:  # fmt: skip
    from enhancement.estimates import PACE
    from enhancement.lednet.facts import shipped_card
    from enhancement.models import Enhancement
    from minegis.jobs.models import Job

    source = write_clip(tmp_path / "gate at night.mp4", night_pictures(25), options={"g": "25", "bf": "0"})
    Job.objects.create(kind="enhance_night", queue="gpu", state="succeeded", max_attempts=1, result={PACE: 2000.0})
    celery_worker("cpu", "gpu")
    page = open_page(web_server().url, language="en-GB")
    sign_in(page, world)
    follow(page.locator(".rail >> text=Video"))
    page.select_option("#upload-options [name=camera]", "CAM-1")
    page.set_input_files("#drop input[type=file]", source)
    row = page.locator("#clips-table tbody tr", has_text="gate at night.mp4")
    expect(row.locator(".state-good", has_text="Ready")).to_have_count(1, timeout=120_000)
    follow(row.locator("th a"))

    # The clip is dark: the night is suggested, with how long it will take.
    expect(page.locator("#method-lednet")).to_be_checked()
    expect(page.locator(".method", has_text="dark clip")).to_contain_text("Night and motion blur")
    expect(page.locator("#omega")).to_be_hidden()
    expect(page.locator("#estimate")).to_contain_text("about 3 seconds of computing")
    shoot(page, "night-suggested-1440-en")

    page.locator("#start").click()
    player = page.locator("#player")
    expect(player).to_have_attribute("data-after", "result", timeout=180_000)
    made = Enhancement.objects.get()
    assert (made.method, made.state, made.frames) == ("lednet", "succeeded", 25)
    assert made.weights_sha256 == shipped_card()["weights_sha256"]
    page.wait_for_function(SETTLED)
    before, after = page.evaluate(LUMAS)
    assert after > 1.5 * before
    assert page.locator("[data-reading=brightness]").text_content() == f"×{made.readings['brightness']:.2f}"
    expect(page.locator("[data-reading=brightened]")).to_have_text("100 %")
    expect(page.locator(".result-row a").first).to_contain_text("Night and motion blur")
    expect(page.locator("#histogram")).to_have_attribute("data-curves", "2")
    shoot(page, "night-result-1440-en")
    if SHOTS:
        page.locator("#method-chain").check()
        expect(player).to_have_attribute("data-previews", "1", timeout=120_000)
        shoot(page, "night-preview-1440-en")
        follow(page.locator("text=中"))
        page.set_viewport_size({"width": 390, "height": 844})
        page.reload()
        page.wait_for_function(SETTLED)
        shoot(page, "night-result-390-zh")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.goto("/video/queue/")
        shoot(page, "night-queue-390-zh")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.reload()
        shoot(page, "night-queue-1440-zh")
