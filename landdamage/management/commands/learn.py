"""``manage.py learn``: from accepted patches to a model compared with the promoted one."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.learning.choices import ASKED
from landdamage.models import ModelComparison, Training
from landdamage.services.openings import region_of
from landdamage.services.trainings import learning_start
from minegis.access.models import User
from minegis.errors import MineGISError
from minegis.jobs.models import Job
from minegis.jobs.runner import run_job
from minegis.terminal import default_language, finding_line

SET_PARAMS = ("gsd_m", "tile", "stride", "regions", "overlaps")


class Command(BaseCommand):
    help = "Cut patches accepted since a model into samples, train on them, compare the result; nothing is promoted."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--region", required=True, help="GB/T 2260 code")
        parser.add_argument("--name", required=True, help="of the model")
        parser.add_argument("--user", required=True, help="in whose name: an interpreter or reviewer of the region")
        parser.add_argument("--since", default="", help="accepted after a date, or after MODEL@VERSION first ran")
        parser.add_argument("--years", type=int, nargs="+", default=[], help="of the scenes (all)")
        parser.add_argument("--here", action="store_true", help="work in this process instead of waiting for workers")
        parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")
        for name in SET_PARAMS:
            parser.add_argument(f"--{name.replace('_', '-')}", default=None, help="of the sample set")
        for name in ASKED:
            if name not in SET_PARAMS:
                parser.add_argument(f"--{name.replace('_', '-')}", default=None, help="of the training")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"no user {options['user']}")
        try:
            made = learning_start(
                region=region_of(user, options["region"]),
                user=user,
                name=options["name"],
                since=options["since"],
                years=options["years"],
                params={key: options[key] for key in SET_PARAMS if options[key] is not None},
                choices={key: options[key] for key in ASKED if key not in SET_PARAMS and options[key] is not None},
            )
        except MineGISError as error:
            raise CommandError(finding_line(error.finding(), options["lang"])) from error
        self.stdout.write(str(made.pk))
        if options["here"]:
            self._work(made, options["lang"])

    def _work(self, training: Training, language: str) -> None:
        """Samples, training, comparison, one after the other; the first that fails says why."""
        done: set[Any] = set()
        while job := self._next(training, done):
            run_job(job.pk, "learn")
            done.add(job.pk)
            job.refresh_from_db()
            self.stderr.write(f"{job.kind}: {job.state}")
            if job.state != Job.State.SUCCEEDED:
                fault = MineGISError(job.error_code or "E-JOB-05", **job.error_values)
                raise CommandError(finding_line(fault.finding(), language))  # type: ignore[arg-type]
        training.refresh_from_db()
        comparison = training.comparison
        if comparison is not None and comparison.state == ModelComparison.State.READY:
            for score in filter(None, (comparison.candidate_score, comparison.promoted_score)):
                self.stdout.write(f"{score.model}: mIoU {score.metrics['miou_foreground']}")

    def _next(self, training: Training, done: set[Any]) -> Job | None:
        training.refresh_from_db()
        comparison = training.comparison
        jobs = (training.sample_set.job, training.job, comparison.job if comparison else None)
        return next((job for job in jobs if job is not None and job.pk not in done), None)
