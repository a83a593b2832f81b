"""Pages of the land-damage application."""

from django.urls import path

from landdamage.pages import overview, samples, scene, scenes

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("scenes/", scenes.scenes, name="scenes"),
    path("scenes/<uuid:scene_id>/", scene.scene, name="scene"),
    path("scenes/<uuid:scene_id>/progress/", scene.progress, name="scene-progress"),
    path("scenes/<uuid:scene_id>/start/", scene.start, name="scene-start"),
    path("editions/<uuid:edition_id>/samples/", samples.samples, name="samples"),
    path("samples/<uuid:sample_id>/label/", samples.label, name="sample-label"),
    path("samples/points/<int:point_id>/<str:when>.png", samples.chip, name="sample-chip"),
]
