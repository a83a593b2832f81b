"""Pages of signing in and out."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from minegis.access import views

urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", views.language, name="language"),
]
