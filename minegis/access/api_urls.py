"""URLs of tokens and of the signed-in user."""

from django.urls import path

from minegis.access import api

urlpatterns = [
    path("auth/token/", api.TokenView.as_view(), name="token"),
    path("auth/logout/", api.LogoutView.as_view(), name="token-revoke"),
    path("me/", api.MeView.as_view(), name="me"),
]
