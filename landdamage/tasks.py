"""Doors for the workers: each job kind of this application is one thin function."""

from uuid import UUID

from celery import Task, shared_task

from minegis.jobs.runner import JobContext


def ingest(context: JobContext) -> None:
    """Check and prepare an uploaded scene (queue ``cpu``)."""
    from landdamage.services.scenes import scene_ingest

    scene_ingest(context)


def interpret(context: JobContext) -> None:
    """Run the network over a scene (queue ``gpu``); torch is imported only here."""
    from landdamage.services.runs import run_interpret

    run_interpret(context)


def account(context: JobContext) -> None:
    """Compute a year's account (queue ``cpu``), its units in parallel processes."""
    from landdamage.services.account import account_run

    account_run(context)


def deliver(context: JobContext) -> None:
    """Make the report or the vectors of an edition (queue ``cpu``); the libraries of the report load only here."""
    from landdamage.services.deliveries import deliver_run

    deliver_run(context)


def sample_set(context: JobContext) -> None:
    """Cut and split a sample set (queue ``cpu``)."""
    from landdamage.services.sample_sets import sample_set_build

    sample_set_build(context)


def label_plate(context: JobContext) -> None:
    """Cut a window of a scene into superpixels (queue ``cpu``)."""
    from landdamage.services.labelling import plate_cut

    plate_cut(context)


def train(context: JobContext) -> None:
    """Let a network learn from a sample set (queue ``gpu``)."""
    from landdamage.services.trainings import training_run

    training_run(context)


def compare(context: JobContext) -> None:
    """Judge a model and the promoted one on the same test tiles (queue ``gpu``)."""
    from landdamage.services.comparisons import comparison_run

    comparison_run(context)


def model_check(context: JobContext) -> None:
    """Check a checkpoint somebody brought and register it (queue ``cpu``)."""
    from landdamage.services import trained_models

    trained_models.model_check(context)


@shared_task(bind=True)
def interpretation_blocks(self: Task, job_id: str) -> None:
    """Help an interpretation that is under way (queue ``gpu``): any number of workers may, none must."""
    from landdamage.services.helping import lend_a_hand

    lend_a_hand(UUID(job_id), worker=str(self.request.hostname))


@shared_task
def account_units(job_id: str, count: int) -> None:
    """Help an account that is under way: any number of workers may, none must."""
    from landdamage.accounting.worker import lend_a_hand
    from minegis.jobs.services import workdir

    lend_a_hand(workdir(UUID(job_id)), count)
