"""From a dusty clip to evidence, as a person does it: upload, sliders on a still, job, synchronised player, pin."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.gis.geos import MultiPolygon, Point, Polygon
from playwright.sync_api import Page, expect

from tests.fixtures.browsing import follow
from tests.fixtures.clips import pictures, write_clip
from tests.fixtures.rtsp import RATE, Camera, coded, decode_number

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("MINEGIS_SHOTS")  # a folder to look at the pages afterwards

# Mean difference of two layers, 0 to 255, and each one's contrast, from what the browser really decoded.
COMPARE = """([first, second]) => {
  const read = (id) => {
    const canvas = document.createElement("canvas");
    canvas.width = 120; canvas.height = 68;
    const context = canvas.getContext("2d");
    context.drawImage(document.getElementById(id), 0, 0, 120, 68);
    return context.getImageData(0, 0, 120, 68).data;
  };
  const [a, b] = [read(first), read(second)];
  const spread = (p) => {
    let n = 0, s = 0, q = 0;
    for (let i = 0; i < p.length; i += 4) { n++; s += p[i]; q += p[i] * p[i]; }
    return Math.sqrt(q / n - (s / n) ** 2);
  };
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return { difference: sum / a.length, before: spread(a), after: spread(b) };
}"""
TIMES = "() => [document.getElementById('before').currentTime, document.getElementById('after').currentTime]"
SETTLED = """() => [document.getElementById('before'), document.getElementById('after')].every(
  (video) => video.readyState >= 2 && !video.seeking)"""


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.fixture
def world(regions: Any, make_user: Callable[..., Any]) -> Any:
    """A mine with a camera, and a reviewer."""
    from minegis.registry.models import SRID, Camera
    from minegis.registry.services import mine_create

    mine = mine_create(
        code="M-1", name_zh="东露天矿", name_en="East pit", mineral_kind="coal", mining_method="open_pit",
        region=regions.fukang, boundary=MultiPolygon(Polygon.from_bbox((87.0, 43.0, 87.01, 43.01)), srid=SRID),
    )  # fmt: skip
    Camera.objects.create(
        code="CAM-1", name_zh="东帮一号", name_en="East wall 1", mine=mine, region=regions.fukang,
        location=Point(87.005, 43.005, srid=SRID), stream_address="rtsp://viewer:secret@10.0.0.8/live",
    )  # fmt: skip
    return make_user("reviewer", regions.changji)


def test_upload_preview_enhance_compare_and_pin(
    open_page: Callable[..., Page], sign_in: Callable[[Page, Any], None], web_server: Callable[..., Any],
    celery_worker: Callable[..., Any], world: Any, tmp_path: Path,
) -> None:  # fmt: skip
    from enhancement.models import Clip, Enhancement, EvidenceFrame
    from enhancement.services.files import path_of
    from minegis.registry.models import Camera

    source = write_clip(tmp_path / "dust.mp4", pictures(60, height=270, width=480), options={"g": "20", "bf": "2"})
    celery_worker("cpu")
    page = open_page(web_server().url)
    sign_in(page, world)

    # Upload with its camera; the check follows by itself.
    follow(page.locator(".rail >> text=视频"))
    expect(page.locator(".empty-state h2")).to_have_text("还没有视频")
    shoot(page, "clips-empty-1440-zh")
    page.select_option("#upload-options [name=camera]", "CAM-1")
    page.set_input_files("#drop input[type=file]", source)
    row = page.locator("#clips-table tbody tr", has_text="dust.mp4")
    expect(row.locator(".state-good", has_text="可用")).to_have_count(1, timeout=120_000)
    expect(row).to_contain_text("东帮一号")
    follow(row.locator("th a"))

    # A slider moves, the still follows: less haze at once, and other numbers.
    player = page.locator("#player")
    expect(player).to_have_attribute("data-after", "none")
    page.locator("#omega").fill("0.6")
    expect(player).to_have_attribute("data-previews", "1")
    expect(player).to_have_attribute("data-mode", "still")
    weak = page.evaluate(COMPARE, ["still-before", "still-after"])
    haze = page.locator("[data-reading=residual]").text_content()
    page.locator("#omega").fill("1")
    expect(player).to_have_attribute("data-previews", "2")
    strong = page.evaluate(COMPARE, ["still-before", "still-after"])
    assert strong["after"] > weak["after"] > weak["before"]
    assert float(page.locator("[data-reading=residual]").text_content() or "1") < float(haze or "0")
    expect(page.locator("#histogram")).to_have_attribute("data-curves", "2")
    shoot(page, "clip-preview-1440-zh")

    # The job with these parameters; the page shows its progress, then its result.
    page.locator("#start").click()
    expect(player).to_have_attribute("data-after", "result", timeout=120_000)
    made = Enhancement.objects.get()
    assert (made.state, made.frames, made.params["omega"]) == ("succeeded", 60, 1.0)
    assert Camera.objects.get().preset["params"]["omega"] == 1.0
    assert "secret" not in page.content()

    # Both videos at the same frame, and their pictures really differ.
    page.wait_for_function(SETTLED)
    page.locator("#player").focus()
    for _ in range(7):
        page.keyboard.press(".")
    page.wait_for_function(SETTLED)
    times = page.evaluate(TIMES)
    assert abs(times[0] - times[1]) < 0.004
    assert times[0] == pytest.approx(7.5 / 25, abs=0.005)
    shown = page.evaluate(COMPARE, ["before", "after"])
    assert shown["difference"] > 8
    assert shown["after"] > 1.2 * shown["before"]
    page.keyboard.press(",")
    expect(player).to_have_attribute("data-frame", "6")
    shoot(page, "clip-result-1440-zh")

    # While they play they stay within a frame of each other; paused, they are at the very same one.
    page.keyboard.press(" ")
    page.wait_for_function("() => document.getElementById('before').currentTime > 1")
    before, after = page.evaluate(TIMES)
    assert abs(before - after) < 0.25
    page.keyboard.press(" ")
    page.wait_for_function(SETTLED)
    times = page.evaluate(TIMES)
    assert abs(times[0] - times[1]) < 0.004

    # Divider and zoom by the keyboard.
    clip_path = "() => document.getElementById('after-layer').style.clipPath"
    divided = page.evaluate(clip_path)
    page.keyboard.press("]")
    assert page.evaluate(clip_path) != divided
    page.keyboard.press("+")
    expect(page.locator("#zoom")).to_have_text("150 %")
    page.keyboard.press("0")
    expect(page.locator("#zoom")).to_have_text("100 %")

    # The frame as evidence of the mine, with its hash.
    frame = int(player.get_attribute("data-frame") or "-1")
    page.keyboard.press("e")
    page.check("#pin-form [value=after]")
    page.fill("#pin-note", "扬尘")
    page.locator("#pin-form button[type=submit]").click()
    expect(page.locator(".pin-row")).to_have_count(1)
    pinned = EvidenceFrame.objects.get()
    assert (pinned.number, pinned.enhancement, pinned.mine.code, pinned.note) == (frame, made, "M-1", "扬尘")
    assert hashlib.sha256(path_of(pinned.sha256).read_bytes()).hexdigest() == pinned.sha256
    expect(page.locator(".pin-row")).to_contain_text(pinned.sha256[:16])

    # The result, to keep.
    with page.expect_download() as download:
        page.locator(".result-row a[href*=download]").click()
    assert hashlib.sha256(Path(download.value.path()).read_bytes()).hexdigest() == made.result_sha256

    # Queue, cameras, evidence; the other language; a phone.
    follow(page.locator(".rail >> text=视频"))
    follow(page.locator(".tabs >> text=队列"))
    expect(page.locator("#queue-table .state-good")).to_have_count(1)
    shoot(page, "queue-1440-zh")
    if SHOTS:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"/video/clips/{made.clip_id}/")
        page.wait_for_function(SETTLED)
        shoot(page, "clip-390-zh")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto("/video/queue/")
    follow(page.locator("text=EN"))
    follow(page.locator(".tabs >> text=Cameras"))
    expect(page.locator("table tbody tr")).to_contain_text("East wall 1")
    shoot(page, "cameras-1440-en")
    follow(page.locator("table tbody th a"))
    expect(page.locator("#clips-table tbody tr")).to_have_count(1)
    shoot(page, "camera-1440-en")
    follow(page.locator(".crumb"))
    follow(page.locator(".tabs >> text=Evidence"))
    expect(page.locator("table tbody tr")).to_contain_text("dust.mp4")
    shoot(page, "frames-1440-en")
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("frames", "cameras", "queue", ""):
        page.goto(f"/video/{name}/".replace("//", "/"))
        shoot(page, f"{name or 'clips'}-390-en")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    follow(page.locator("#clips-table tbody th a"))
    expect(page.locator("#player")).to_have_attribute("data-after", "result")
    page.wait_for_function(SETTLED)
    page.locator("#frame-on").click()
    page.wait_for_function(SETTLED)
    times = page.evaluate(TIMES)
    assert abs(times[0] - times[1]) < 0.004
    assert times[0] == pytest.approx(1.5 / 25, abs=0.005)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#sky_trans").fill("0.9")
    expect(page.locator("#player")).to_have_attribute("data-previews", "1")
    shoot(page, "clip-390-en")
    assert Clip.objects.count() == 1


LIVE_NUMBER = """() => {
  const video = document.querySelector("#live video");
  if (!video || video.readyState < 2) return null;
  const canvas = document.createElement("canvas");
  canvas.width = 320; canvas.height = 180;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 320, 180);
  return [...context.getImageData(0, 15, 320, 1).data].filter((_, i) => i % 4 === 1);
}"""


@pytest.mark.parametrize("player", ["the browser's own", "hls.js"])
def test_a_live_stream_is_shown_a_few_seconds_late(
    player: str, open_page: Callable[..., Page], sign_in: Callable[[Page, Any], None], web_server: Callable[..., Any],
    celery_worker: Callable[..., Any], world: Any, wait_until: Callable[..., Any],
) -> None:  # fmt: skip
    from enhancement.models import LiveStream
    from enhancement.services.live import folder_of
    from minegis.jobs.models import Job
    from minegis.registry.models import Camera as Registered

    hazy = pictures(1, height=180, width=320)[0]
    camera = Camera(lambda number: coded(hazy, number % 65_536), password="secret")
    try:
        Registered.objects.update(stream_address=camera.address)
        celery_worker("live")
        page = open_page(web_server().url, language="en-GB")
        scripts: list[str] = []
        page.on("request", lambda request: scripts.append(request.url) if "hls-player" in request.url else None)
        if player == "hls.js":  # a browser such as Firefox, which says it plays no playlists
            page.add_init_script("HTMLMediaElement.prototype.canPlayType = () => ''")
        sign_in(page, world)
        follow(page.locator(".rail >> text=Video"))
        follow(page.locator(".tabs >> text=Cameras"))
        follow(page.locator("table tbody th a"))
        page.locator("[data-live=start]").click()
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        expect(page.locator("[data-live=late]")).to_contain_text("s behind")

        def seconds_late() -> float | None:
            """Measured on the picture itself: the number that the camera wrote into it, read from the browser."""
            row = page.evaluate(LIVE_NUMBER)
            if row is None:
                return None
            return (camera.frame_now() - decode_number(np.repeat(np.array(row)[None, :, None], 30, 0))) / RATE

        def told() -> float:
            return float(page.locator("#live").get_attribute("data-late") or "-9")

        wait_until(lambda: (found := seconds_late()) is not None and 0 <= found <= 6)
        wait_until(lambda: (found := seconds_late()) is not None and abs(told() - found) < 2)
        shoot(page, "camera-live-1440-en")
        assert "secret" not in page.content()
        assert len(scripts) == (player == "hls.js"), "the script is loaded where it is needed, and only there"
        source = page.locator("#live video").get_attribute("src") or ""
        assert source.startswith("blob:") == (player == "hls.js")

        # The camera restarts: the picture comes back by itself.
        camera.hang_up()
        stream = LiveStream.objects.get()
        status = f"fetch('/api/v1/live-streams/{stream.pk}/').then(answer => answer.json())"
        wait_until(lambda: page.evaluate(status)["relay"]["connections"] >= 2)
        before = camera.frame_now()
        wait_until(lambda: (found := seconds_late()) is not None and camera.frame_now() - found * RATE > before)

        page.set_viewport_size({"width": 390, "height": 844})
        shoot(page, "camera-live-390-en")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator("[data-live=stop]").click()
        expect(page.locator("[data-live=start]")).to_be_visible()
        wait_until(lambda: Job.objects.get().state == "cancelled")
        wait_until(lambda: not folder_of(stream.pk).exists())
    finally:
        camera.close()
