"""A tus client over Django's own, and one upload to work with."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.fixtures.handlers import taken_by

TYPE = "application/offset+octet-stream"


class Tus:
    """The protocol's five requests."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def create(self, length: int | str, **metadata: str) -> Any:
        pairs = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in metadata.items())
        headers = {"Upload-Length": str(length)} | ({"Upload-Metadata": pairs} if pairs else {})
        return self.send("POST", "/api/v1/uploads/", headers=headers)

    def head(self, url: str) -> Any:
        return self.send("HEAD", url)

    def patch(self, url: str, offset: int, data: bytes, **headers: str) -> Any:
        sent = {"Upload-Offset": str(offset)} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.send("PATCH", url, data, TYPE, sent)

    def delete(self, url: str) -> Any:
        return self.send("DELETE", url)

    def send(self, method: str, url: str, data: bytes = b"", kind: str = "", headers: Any = None) -> Any:
        headers = {"Tus-Resumable": "1.0.0"} | (headers or {})
        return self.client.generic(method, url, data, kind, headers=headers)


@pytest.fixture
def tus(client_for: Callable[[Any], Client], make_user: Callable[..., Any], settings: Any) -> Tus:
    """An uploader's client; finished files are taken over as they are."""
    settings.UPLOAD_KINDS = taken_by("receive")
    return Tus(client_for(make_user("uploader")))


@pytest.fixture
def tus_for(client_for: Callable[[Any], Client]) -> Callable[[Any], Tus]:
    """A client of any user."""
    return lambda user: Tus(client_for(user))
