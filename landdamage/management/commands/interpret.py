"""``manage.py interpret`` as Django lists it: of files, as without Django, or of a year's scenes on the platform."""

from __future__ import annotations

import argparse
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.interpretation import cli
from minegis.errors import Finding, Language, MineGISError
from minegis.terminal import default_language, finding_line

LOOK_EVERY_S = 2.0
_TEXT = {
    "zh": {"queued": "已排队", "nothing": "没有待解译的影像", "of": "{done} / {all} 景完成",
           "state": "{name}：{state}"},
    "en": {"queued": "queued", "nothing": "no scene waits for an interpretation", "of": "{done} of {all} scenes done",
           "state": "{name}: {state}"},
}  # fmt: skip


class Command(BaseCommand):
    help = (
        "Interpret images: patches, rasters and area table. Needs no database, unless --year and --region name the "
        "scenes of the platform: those without a result are queued as runs."
    )
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        cli.add_arguments(parser)
        next(action for action in parser._actions if action.dest == "scenes").nargs = "*"
        parser.add_argument("--year", type=int, help="queue the year's ready scenes of --region")
        parser.add_argument("--region", metavar="CODE", help="code of the region, with all below it")
        parser.add_argument("--again", action="store_true", help="also scenes that have a result")
        parser.add_argument("--wait", action="store_true", help="stay until all of them have ended")

    def handle(self, *args: Any, **options: Any) -> None:
        by_year = options["year"] is not None and options["region"]
        if bool(options["scenes"]) == bool(by_year):
            raise CommandError("name images, or --year and --region", returncode=cli.FAILED)
        if by_year:
            status = self._year(options, options["lang"] or default_language())
        else:
            status = cli.run(argparse.Namespace(**options))
        if status:
            raise CommandError("interpretation failed", returncode=status)

    def _year(self, options: dict[str, Any], language: Language) -> int:
        from landdamage.services.year_runs import year_interpret
        from minegis.jobs.models import Job

        text = _TEXT[language]
        try:
            runs = year_interpret(
                code=options["region"], year=options["year"], model_name=options["model"] or "", again=options["again"]
            )
        except MineGISError as error:
            self.stderr.write(finding_line(error.finding(), language))
            return cli.FAILED
        if not runs:
            self.stdout.write(text["nothing"])
            return 0
        for run in runs:
            self.stdout.write(text["state"].format(name=run.scene.file_name, state=text["queued"]))
        if not options["wait"]:
            return 0
        names = {run.job_id: run.scene.file_name for run in runs if run.job_id is not None}
        left, failed = set(names), 0
        while left:
            for job in Job.objects.filter(pk__in=left).exclude(state__in=Job.ACTIVE):
                left.discard(job.pk)
                failed += job.state != Job.State.SUCCEEDED
                self.stdout.write(
                    text["state"].format(name=names[job.pk], state=job.get_state_display())
                    + f" · {text['of'].format(done=len(names) - len(left), all=len(names))}"
                )
                if job.error_code:
                    self.stderr.write(finding_line(Finding(job.error_code, "", job.error_values), language))
            if left:
                time.sleep(LOOK_EVERY_S)
        return cli.FAILED if failed else 0
