"""A real Chromium that may talk to the server under test and to nobody else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.fixtures.platform import PASSWORD

QUIET = [
    "--no-sandbox",  # root has no user namespaces in a container
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-dev-shm-usage",
]
PATIENCE_MS = 60_000  # a busy machine with two cores
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium (``$CHROMIUM`` names another)."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "Chromium is not installed: apt-get install chromium"
    # Playwright's loop runs in this thread; Django would take the test's own queries for calls from a coroutine.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")


@pytest.fixture
def open_page(chromium: Browser, web_server: Any) -> Iterator[Callable[..., Page]]:
    """``open_page(url, width=1440, height=900, language="zh-CN")``: a page cut off from all but one server.

    When the test ends, any request to somebody else, any error on the console (a broken content security policy is
    one) and any uncaught exception fails it. It depends on the server so that pages close before the server ends.
    """
    contexts: list[BrowserContext] = []
    strangers: list[str] = []
    errors: list[str] = []

    def start(url: str, *, width: int = 1440, height: int = 900, language: str = "zh-CN") -> Page:
        context = chromium.new_context(
            base_url=url, locale=language, viewport={"width": width, "height": height}, accept_downloads=True
        )
        contexts.append(context)

        def gate(route: Any) -> None:
            if route.request.url.startswith(f"{url}/"):
                route.continue_()
            else:
                strangers.append(route.request.url)
                route.abort()

        context.route("**/*", gate)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield start
    for context in contexts:
        context.close()
    assert strangers == []
    assert errors == []


@pytest.fixture
def sign_in() -> Callable[[Page, Any], None]:
    """``sign_in(page, user)`` by the login page."""

    from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password

    def do(page: Page, user: Any) -> None:
        # Tests hash with MD5, which the real server refuses.
        user.password = make_password(PASSWORD, hasher=PBKDF2PasswordHasher())  # type: ignore[arg-type]
        user.save(update_fields=["password"])
        page.goto("/login/")
        page.fill("#id_username", user.username)
        page.fill("#id_password", PASSWORD)
        page.press("#id_password", "Enter")
        page.wait_for_selector(".rail")
        page.wait_for_load_state()  # its scripts have run

    return do


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated scene of about a square kilometre."""
    from landdamage.simulation import District
    from landdamage.simulation.export import write_scene

    path = tmp_path_factory.mktemp("scene") / "district_20220720.tif"
    write_scene(path, District(7, size=512, years=(2022,)).render(2022))
    return path
