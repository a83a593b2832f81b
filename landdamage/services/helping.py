"""Helping an interpretation that another worker leads: a message, a look at the rows, blocks until none is free."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from celery.worker import state as worker_state
from django.conf import settings

from landdamage.interpretation.blocks import Shared
from landdamage.interpretation.engine import KINDS
from landdamage.models import InterpretationRun
from landdamage.services.claims import RowClaims, claiming, work_waits
from landdamage.services.files import file_path
from landdamage.services.runs import loaded_engine
from landdamage.services.trained_models import model_card
from minegis.errors import JobCancelledError, StorageError
from minegis.files import job_shelf
from minegis.jobs.models import Job
from minegis.jobs.services import folders_tidy, workdir
from minegis.objects.work import long_work

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0


def lend_a_hand(job_id: UUID, *, worker: str) -> int:
    """Compute blocks of an interpretation as long as there are free ones; a message too late or too many does nothing.

    What goes wrong here gives the block back: whoever leads the run meets it again and says so in the job.

    Args:
        job_id: of the interpretation.
        worker: the name of this worker.

    Returns:
        Number of windows computed here.
    """
    from landdamage.interpretation.result import help_scene
    from landdamage.interpretation.strips import recorded_engine

    folders_tidy()  # of scenes helped with before; nobody else comes to this machine
    if work_waits():
        log.info("job %s: other work waits; whoever leads calls again", job_id)
        return 0
    found = InterpretationRun.objects.filter(job_id=job_id, job__state__in=Job.ACTIVE, job__cancel_requested=False)
    run = found.select_related("scene", "model").first()
    folder = workdir(job_id)
    shelf = job_shelf(job_id, "strips")
    kind = recorded_engine(folder / "strips", shelf, with_strips=False)
    if run is None or run.model is None or kind not in KINDS:
        log.info("job %s: nothing to help with", job_id)
        return 0
    stopped = _stopped(job_id)

    @contextmanager
    def crew(shared: Shared) -> Iterator[RowClaims]:
        with claiming(run, shared, worker=worker, stopped=stopped, leads=False) as claims:
            yield claims

    try:
        with long_work():
            windows = help_scene(
                file_path(run.scene.cog_sha256),
                folder,
                engine=loaded_engine(model_card(run.model), kind),
                bands=tuple(run.scene.bands),
                crew=crew,
                should_stop=stopped,
                block_pixels=settings.INTERPRETATION_BLOCK_PIXELS,
                shelf=shelf,
            )
    except (JobCancelledError, FileNotFoundError):  # ended meanwhile, and its folder with it; or this worker is to stop
        log.info("job %s: the help is no longer wanted", job_id)
        return 0
    except StorageError as error:  # whoever leads meets it as well, and says so in the job
        log.warning("job %s: the help ends: %s", job_id, error)
        return 0
    if windows is None:
        log.warning("job %s: this worker would compute otherwise than the one that leads, and leaves it alone", job_id)
    return windows or 0


def _stopped(job_id: UUID) -> Callable[[], bool]:
    """Whether the job has ended or is being cancelled, or this worker is told to shut down; looks once a second."""
    looked, over = float("-inf"), False

    def stopped() -> bool:
        nonlocal looked, over
        if not over and time.monotonic() - looked >= LOOK_EVERY_S:
            looked = time.monotonic()
            leaving = _leaving()
            over = leaving or not Job.objects.filter(pk=job_id, state__in=Job.ACTIVE, cancel_requested=False).exists()
        return over

    return stopped


def _leaving() -> bool:
    stopping = worker_state.should_stop  # None or False while it works, then the exit code, which may be 0
    return stopping is not None and stopping is not False
