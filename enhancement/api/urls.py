"""API addresses of the enhancement, under /api/v1/."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from enhancement.api.clips import ClipViewSet
from enhancement.api.enhancements import EnhancementViewSet, EvidenceFrameViewSet
from enhancement.api.live import LiveStreamViewSet, live_file

router = SimpleRouter(use_regex_path=False)
router.register("clips", ClipViewSet)
router.register("enhancements", EnhancementViewSet)
router.register("evidence-frames", EvidenceFrameViewSet)
router.register("live-streams", LiveStreamViewSet)
urlpatterns = [
    path("live-streams/<uuid:stream_id>/hls/<str:name>", live_file, name="live-file"),
    path("", include(router.urls)),
]
