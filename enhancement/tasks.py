"""Doors for the workers: each job kind of this application is one thin function."""

from minegis.jobs.runner import JobContext


def clip(context: JobContext) -> None:
    """Check an uploaded clip and make what browsers play (queue ``cpu``)."""
    from enhancement.services.clips import clip_check

    clip_check(context)


def live(context: JobContext) -> None:
    """Enhance a camera's stream as long as somebody watches (queue ``live``)."""
    from enhancement.services.live import live_run

    live_run(context)


def enhance(context: JobContext) -> None:
    """Enhance a clip (queue ``cpu``, with a network ``gpu``); codecs, kernels and networks load only here."""
    from enhancement.services.making import enhancement_run

    enhancement_run(context)
