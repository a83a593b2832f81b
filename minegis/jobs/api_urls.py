"""URLs of jobs."""

from rest_framework.routers import SimpleRouter

from minegis.jobs import api

router = SimpleRouter()
router.register("jobs", api.JobViewSet)
urlpatterns = router.urls
