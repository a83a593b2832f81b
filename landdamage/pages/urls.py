"""Pages of the land-damage application."""

from django.urls import path

from landdamage.pages import overview, scene, scenes

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("scenes/", scenes.scenes, name="scenes"),
    path("scenes/<uuid:scene_id>/", scene.scene, name="scene"),
    path("scenes/<uuid:scene_id>/progress/", scene.progress, name="scene-progress"),
    path("scenes/<uuid:scene_id>/start/", scene.start, name="scene-start"),
]
