"""Sign in, sign out, and the language, which stays with the person and with the browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST
from django.views.i18n import set_language
from rest_framework.throttling import SimpleRateThrottle

from minegis.access.models import User
from minegis.errors import MineGISError


def remember_language(response: HttpResponse, code: str) -> None:
    """Keep the language in the browser, where the locale middleware looks for it."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=365 * 24 * 3600,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


class LoginThrottle(SimpleRateThrottle):
    """Attempts to sign in per address; pages and the token door share one count."""

    scope = "login"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """The key ``ScopedRateThrottle`` uses for strangers; who is signed in already may not guess faster."""
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def slow_guessing(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Refuse passwords that come too often from one address, with E-API-07."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and not LoginThrottle().allow_request(request, view):  # type: ignore[arg-type]
            raise MineGISError("E-API-07")
        return view(request, *args, **kwargs)

    return guarded


@method_decorator([login_not_required, slow_guessing], name="dispatch")
class LoginView(auth_views.LoginView):
    """Sign in; the language a person chose once comes along."""

    template_name = "access/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Open the session."""
        response = super().form_valid(form)
        user = form.get_user()
        if isinstance(user, User) and user.language and check_for_language(user.language):
            remember_language(response, user.language)
        return response


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language of the browser and, when signed in, of the person."""
    code = request.POST.get("language", "")
    if request.user.is_authenticated and check_for_language(code):
        User.objects.filter(pk=request.user.pk).update(language=code)
    return set_language(request)
