"""API addresses of the land-damage application, under /api/v1/."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from landdamage.api.areas import AreasView
from landdamage.api.decisions import ChangeViewSet, ControlViewSet, EvidenceViewSet, SubsidenceViewSet
from landdamage.api.deliveries import DeliveryViewSet
from landdamage.api.editions import EditionViewSet, MonitoredAreaViewSet
from landdamage.api.ground import HydrographyViewSet, OverrideViewSet
from landdamage.api.labels import LabelPlateViewSet
from landdamage.api.openings import OpeningsView
from landdamage.api.runs import PatchViewSet, RunViewSet, run_tile
from landdamage.api.sample_sets import SampleSetViewSet
from landdamage.api.samples import PointViewSet, SampleViewSet
from landdamage.api.scenes import SceneViewSet, scene_tile
from landdamage.api.tables import TablesView
from landdamage.api.trained_models import ComparisonViewSet, TrainedModelViewSet, TrainingViewSet

router = SimpleRouter(use_regex_path=False)
router.register("scenes", SceneViewSet)
router.register("runs", RunViewSet)
router.register("patches", PatchViewSet)
router.register("editions", EditionViewSet)
router.register("monitored-areas", MonitoredAreaViewSet)
router.register("changes", ChangeViewSet)
router.register("evidence", EvidenceViewSet)
router.register("subsidence", SubsidenceViewSet)
router.register("control-polygons", ControlViewSet)
router.register("hydrography", HydrographyViewSet)
router.register("territory-overrides", OverrideViewSet)
router.register("samples", SampleViewSet)
router.register("label-plates", LabelPlateViewSet)
router.register("sample-sets", SampleSetViewSet)
router.register("models", TrainedModelViewSet)
router.register("model-comparisons", ComparisonViewSet)
router.register("trainings", TrainingViewSet)
router.register("check-points", PointViewSet)
router.register("deliveries", DeliveryViewSet)

urlpatterns = [
    path("scenes/<uuid:scene_id>/tiles/<int:z>/<int:x>/<int:y>.webp", scene_tile, name="scene-tile"),
    path("runs/<uuid:run_id>/tiles/<int:z>/<int:x>/<int:y>.png", run_tile, name="run-tile"),
    path("areas/", AreasView.as_view(), name="areas"),
    path("openings/", OpeningsView.as_view(), name="openings"),
    path("editions/<uuid:edition_id>/tables/", TablesView.as_view(), name="edition-tables"),
    path("", include(router.urls)),
]
