"""Addresses of OGC API - Features, under /api/features/; clients write them with and without the last slash."""

from django.urls import re_path

from landdamage.api import features

_NAME = r"(?P<name>[a-z]+(?:_\d{4}(?:_draft)?)?)"

urlpatterns = [
    re_path(r"^api/features/?$", features.LandingView.as_view(), name="features"),
    re_path(r"^api/features/conformance/?$", features.ConformanceView.as_view()),
    re_path(r"^api/features/api/?$", features.DescriptionView.as_view()),
    re_path(r"^api/features/collections/?$", features.CollectionsView.as_view()),
    re_path(rf"^api/features/collections/{_NAME}/?$", features.CollectionView.as_view()),
    re_path(rf"^api/features/collections/{_NAME}/items/?$", features.ItemsView.as_view()),
    re_path(rf"^api/features/collections/{_NAME}/items/(?P<feature_id>[\w-]{{1,40}})/?$", features.ItemView.as_view()),
]
