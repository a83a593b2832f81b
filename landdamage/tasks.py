"""Doors for the workers: each job kind of this application is one thin function."""

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
