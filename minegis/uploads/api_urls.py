"""URLs of uploads."""

from django.urls import path

from minegis.uploads import api

urlpatterns = [
    path("uploads/", api.UploadsView.as_view(), name="uploads"),
    path("uploads/<uuid:pk>/", api.UploadView.as_view(), name="upload"),
]
