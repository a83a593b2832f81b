"""URLs: pages at the root, the API under /api/v1/, its description beside it."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from minegis.access.views import slow_guessing

handler404 = "minegis.problems.not_found"
handler500 = "minegis.problems.server_error"

api = [
    path("", include("minegis.access.api_urls")),
    path("", include("minegis.registry.api_urls")),
    path("", include("minegis.jobs.api_urls")),
    path("", include("minegis.uploads.api_urls")),
    *(path("", include(module)) for module in settings.API_URLCONFS),
]

urlpatterns = [
    path("api/v1/", include((api, "api"))),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("admin/login/", slow_guessing(admin.site.login)),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("minegis.access.urls")),
    path("", include("minegis.jobs.urls")),
    *(path("", include(module)) for module in settings.PAGE_URLCONFS),
]
