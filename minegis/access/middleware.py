"""Every page needs a signed-in user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import middleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.i18n import set_language


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """Django's own, with three exceptions: the language switch, the API (DRF answers 401) and htmx fragments.

    A view opts out with ``django.contrib.auth.decorators.login_not_required``, as the login pages do.
    """

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: tuple[Any, ...], view_kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Let the exceptions pass; Django decides about the rest."""
        if view_func is set_language:
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> Any:
        """Send the browser to the login page; an htmx fragment tells the whole page to go there."""
        response = super().handle_no_permission(request, view_func)
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=204, headers={"HX-Redirect": response["Location"]})
        return response
