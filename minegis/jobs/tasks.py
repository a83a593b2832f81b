"""Celery's doors to the job rows."""

from uuid import UUID

from celery import Task, shared_task

from minegis.jobs import runner, services


@shared_task(bind=True)
def run(self: Task, job_id: str) -> None:
    """Look at one row and do what it says."""
    runner.run_job(UUID(job_id), worker=str(self.request.hostname))


@shared_task
def tidy() -> None:
    """Remove work folders nobody will go on from; sent by beat."""
    services.job_tidy()


@shared_task
def reap() -> None:
    """Hand over the jobs of dead workers; sent by beat."""
    services.job_reap()
