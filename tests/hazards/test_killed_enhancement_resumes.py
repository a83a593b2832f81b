"""Hazard: a worker killed in the middle of a clip costs frames, or leaves files that nobody knows of.

A real worker is killed with kill -9 while it renders; another takes the job up from the finished segments, and the
result has exactly the frames of the clip. A cancelled one leaves nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minegis.jobs.models import Job
from minegis.jobs.services import job_cancel, workdir
from tests.fixtures.clips import pictures, shown, write_clip

pytestmark = pytest.mark.django_db(transaction=True)
REAP_OFTEN = {"reap": {"task": "minegis.jobs.tasks.reap", "schedule": 0.5}}


@pytest.fixture
def long_clip(footage: Any, send_clip: Any, run_job: Any, tmp_path: Path) -> Any:
    """A thousand small frames: four segments."""
    options = {"g": "50", "bf": "0", "sc_threshold": "0"}
    source = write_clip(tmp_path / "long.mp4", pictures(1000, height=144, width=256), options=options)
    clip = send_clip(footage.user, source, camera="CAM-1")
    assert run_job(clip.job).state == "succeeded"
    clip.refresh_from_db()
    return clip


def files_on_disk() -> set[str]:
    from enhancement.services import files

    return {path.parent.name + path.name for path in files.store().root.glob("*/*")}


def test_killed_then_resumed_then_cancelled(
    long_clip: Any, footage: Any, celery_worker: Any, wait_until: Any, settings: Any
) -> None:
    from enhancement.services import files
    from enhancement.services.enhancements import enhancement_start

    before = files_on_disk()
    worker = celery_worker("cpu", JOB_LEASE_SECONDS=2)
    made = enhancement_start(clip=long_clip, user=footage.user)
    parts = workdir(made.job.pk) / "parts"
    wait_until(lambda: any(parts.glob("part-*.nut")))
    worker.kill()
    finished = {path: path.stat().st_mtime_ns for path in parts.glob("part-*.nut")}
    assert Job.objects.get(pk=made.job.pk).state == "running"

    second = celery_worker("cpu", beat=True, JOB_LEASE_SECONDS=2, CELERY_BEAT_SCHEDULE=REAP_OFTEN)
    kept_seen: set[Path] = set()

    def ended() -> bool:
        for path, when in finished.items():
            try:
                assert path.stat().st_mtime_ns == when, "a finished segment was rendered again"
                kept_seen.add(path)
            except FileNotFoundError:
                pass  # the job has ended and its folder with it
        return Job.objects.get(pk=made.job.pk).state == "succeeded"

    wait_until(ended, 120)
    made.refresh_from_db()
    assert made.job.attempts <= Job.objects.get(pk=made.job.pk).attempts == 2
    assert kept_seen == set(finished)
    source, result = files.path_of(long_clip.sha256), files.path_of(made.result_sha256)
    assert shown(result) == shown(source)
    assert made.frames == 1000
    assert not workdir(made.job.pk).exists()
    assert files_on_disk() == before | {made.result_sha256}

    other = enhancement_start(clip=long_clip, user=footage.user, preset_name="report")
    other_parts = workdir(other.job.pk) / "parts"
    wait_until(lambda: any(other_parts.glob("part-*.nut")))
    job_cancel(job=other.job)
    wait_until(lambda: Job.objects.get(pk=other.job.pk).state == "cancelled")
    wait_until(lambda: not workdir(other.job.pk).exists())
    other.refresh_from_db()
    assert (other.state, other.result_sha256) == ("cancelled", "")
    assert files_on_disk() == before | {made.result_sha256}
    assert second.alive
