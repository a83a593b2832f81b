"""URLs of regions and mines."""

from rest_framework.routers import SimpleRouter

from minegis.registry import api

router = SimpleRouter()
router.register("regions", api.RegionViewSet)
router.register("mines", api.MineViewSet)
router.register("cameras", api.CameraViewSet)
urlpatterns = router.urls
