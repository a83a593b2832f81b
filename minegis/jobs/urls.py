"""Pages of long work."""

from django.urls import path

from minegis.jobs import pages

urlpatterns = [
    path("jobs/", pages.jobs, name="jobs"),
    path("jobs/news/", pages.news, name="jobs-news"),
    path("jobs/<uuid:job_id>/cancel/", pages.cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", pages.retry, name="job-retry"),
]
