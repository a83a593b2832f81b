"""Coded failures at the HTTP door: RFC 9457 problem bodies for the API, a plain page for people.

Views contain no try/except: a ``MineGISError`` raised anywhere below becomes a response here, by the one table.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from minegis.errors import Language, MineGISError, hint, message

log = logging.getLogger(__name__)
PROBLEM_JSON = "application/problem+json"

_DRF_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NotAuthenticated, "E-API-02"),
    (exceptions.AuthenticationFailed, "E-API-02"),
    (exceptions.PermissionDenied, "E-API-03"),
    (PermissionDenied, "E-API-03"),
    (exceptions.NotFound, "E-API-04"),
    (Http404, "E-API-04"),
    (exceptions.MethodNotAllowed, "E-API-05"),
    (exceptions.NotAcceptable, "E-API-10"),
    (exceptions.UnsupportedMediaType, "E-API-08"),
    (exceptions.Throttled, "E-API-07"),
    (exceptions.APIException, "E-API-01"),
)


def request_language() -> Language:
    """The error table's language for this request."""
    return "en" if (get_language() or "zh").startswith("en") else "zh"


def problem(code: str, status: int, **values: Any) -> dict[str, Any]:
    """An RFC 9457 body: type, title, status, code, both messages, the hint of the request's language."""
    language = request_language()
    return {
        "type": f"urn:minegis:problem:{code}",
        "title": message(code, language, **values),
        "status": status,
        "code": code,
        "detail": hint(code, language, **values),
        "message_zh": message(code, "zh", **values),
        "message_en": message(code, "en", **values),
        "hint_zh": hint(code, "zh", **values),
        "hint_en": hint(code, "en", **values),
    }


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every failure of the API as a problem body; field faults are listed under ``errors``."""
    if isinstance(exc, MineGISError):
        return Response(problem(exc.code, exc.status, **exc.values), status=exc.status, content_type=PROBLEM_JSON)
    response = drf_exception_handler(exc, context)
    if response is None:
        return None
    code = next(code for kind, code in _DRF_CODES if isinstance(exc, kind))
    body = problem(code, response.status_code)
    if isinstance(exc, exceptions.ValidationError):
        body["errors"] = response.data
    response.data = body
    response.content_type = PROBLEM_JSON
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler404``, for addresses no view answers: a problem body under /api/, else the page."""
    if request.path.startswith("/api/"):
        return JsonResponse(problem("E-API-04", 404), status=404, content_type=PROBLEM_JSON)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``, for failures outside the views: a problem body under /api/, else the page."""
    if request.path.startswith("/api/"):
        return JsonResponse(problem("E-API-09", 500), status=500, content_type=PROBLEM_JSON)
    return defaults.server_error(request)


class ProblemMiddleware:
    """Turns what a page raises into a coded page, and what an API view lets through into a problem body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        """Answer for an exception that no view handled."""
        number = ""
        if isinstance(exc, MineGISError):
            code, status, values = exc.code, exc.status, exc.values
        elif isinstance(exc, Http404):
            code, status, values = "E-API-04", 404, {}
        elif isinstance(exc, PermissionDenied):
            code, status, values = "E-API-03", 403, {}
        else:
            number = uuid.uuid4().hex[:8]
            log.error("unhandled failure %s at %s", number, request.path, exc_info=exc)
            code, status, values = "E-API-09", 500, {}
        body = problem(code, status, **values)
        if number:
            body["number"] = number
        # A fragment of a page cannot show a whole page: its script says the problem in words.
        if request.path.startswith("/api/") or request.headers.get("HX-Request"):
            return JsonResponse(body, status=status, content_type=PROBLEM_JSON)
        return render(request, "problem.html", {"problem": body}, status=status)
