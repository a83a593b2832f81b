"""What a page view receives: the login middleware has let only signed-in people through, htmx has left its mark."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from minegis.access.models import User


class PageRequest(HttpRequest):
    """A request of a signed-in person; ``htmx`` is true where only a fragment of the page is wanted."""

    user: User  # type: ignore[assignment]  # strangers are sent to the login page before a view runs
    htmx: HtmxDetails
