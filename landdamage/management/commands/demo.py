"""``manage.py demo``: fill a running MineGIS with the demonstration district and print true and found areas."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from landdamage.models import Edition, InterpretationRun, Scene
from landdamage.selectors.editions import edition_sums
from landdamage.services import demo, demo_books
from minegis import units
from minegis.errors import MineGISError
from minegis.registry.models import Region

DEADLINE = 1800.0  # seconds for all interpretations on a slow machine


class Command(BaseCommand):
    help = "Simulate a mining district, send its scenes to the running server, wait for the results, print the areas."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the web server answers")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"simulating the district (seed {demo.SEED})")
        folder = demo.district_files(lambda name: self.stdout.write(f"  {name}"))
        region = demo.register(folder)
        self.stdout.write("sending scenes")
        scenes = demo.send_scenes(folder, options["url"].rstrip("/"), lambda name: self.stdout.write(f"  {name}"))
        demo.retry_failed(scenes)
        with ThreadPoolExecutor(1) as pool:  # beside the interpretation, which leaves the cpu queue idle
            video = pool.submit(self._video, folder, options["url"])
            self._interpret_and_book(folder, region, scenes)
            video.result()
        self.stdout.write(f"\naccounts, password {demo.password()}")
        for name, role, display in demo.ACCOUNTS:
            self.stdout.write(f"  {name:<12} {display} / {role.label}")

    def _video(self, folder: Path, url: str) -> None:
        """The video application's part, which is known here by its command's name only."""
        x, y = demo.pit(folder)
        try:
            call_command(
                "demo_video", folder / f"scene_{demo.YEARS[-1]}.tif", target=[x, y], user="reviewer", url=url,
                stdout=self.stdout,
            )  # fmt: skip
        finally:
            connection.close()  # this thread's own

    def _interpret_and_book(self, folder: Path, region: Region, scenes: list[Scene]) -> None:
        self._wait([scene.pk for scene in scenes])
        self._table(folder, [scene.pk for scene in scenes])
        self.stdout.write("\nkeeping the books")
        try:
            editions = demo_books.keep_books(region, demo.YEARS, folder, lambda line: self.stdout.write(f"  {line}"))
        except (MineGISError, TimeoutError) as error:
            raise CommandError(str(error)) from error
        self._books(editions)

    def _wait(self, keys: list[Any]) -> None:
        """Follow the rows until every scene has a current result."""
        shown, end = "", time.monotonic() + DEADLINE
        while True:
            scenes = list(Scene.objects.filter(pk__in=keys).select_related("ingest_job").order_by("file_name"))
            runs = {run.scene_id: run for run in InterpretationRun.objects.filter(scene__in=keys).select_related("job")}
            current = set(
                InterpretationRun.objects.filter(scene__in=keys, is_current=True).values_list("scene_id", flat=True)
            )
            lines = []
            for scene in scenes:
                run = runs.get(scene.pk)
                job = run.job if run and run.job else scene.ingest_job
                if scene.pk in current:
                    lines.append(f"{scene.file_name} done")
                elif scene.state == Scene.State.REJECTED or (job and job.state in ("failed", "cancelled")):
                    raise CommandError(f"{scene.file_name}: {scene.findings or (job and job.error_code)}")
                else:
                    lines.append(
                        f"{scene.file_name} {job.stage if job else ''} {100 * (job.progress if job else 0):.0f}%"
                    )
            if (line := "  " + " · ".join(lines)) != shown:
                self.stdout.write(shown := line)
            if len(current) == len(keys):
                return
            if time.monotonic() > end:
                raise CommandError("the workers did not finish in time; see `make stop` and the logs in var/")
            time.sleep(1)

    def _books(self, editions: list[Edition]) -> None:
        """What the books say per year and damage kind, hm²."""
        names = ("opening", "first_seen", "new", "restored", "closing", "undecided", "pending", "carried")
        self.stdout.write(f"{'year':<6}{'state':<11}{'damage kind':<14}" + "".join(f"{name:>12}" for name in names))
        for edition in editions:
            for kind, sums in edition_sums(edition).items():
                figures = "".join(f"{units.to_hm2(sums[name]):>12}" for name in names)
                self.stdout.write(f"{edition.year:<6}{edition.state:<11}{kind:<14}{figures}")

    def _table(self, folder: Any, keys: list[Any]) -> None:
        """True and found area per class, damage kind and year, hm²."""
        self.stdout.write("\narea on ground that neither cloud nor shadow hides, nor the mask takes for hidden")
        self.stdout.write(f"{'year':<6}{'class / damage kind':<22}{'true hm²':>12}{'found hm²':>12}{'difference':>12}")
        for scene in Scene.objects.filter(pk__in=keys).order_by("acquired_on"):
            for row in demo.compare(folder, scene):
                off = "" if row.difference is None else f"{100 * row.difference:+.1f} %"
                self.stdout.write(
                    f"{row.year:<6}{row.en:<22}{units.to_hm2(row.true_cm2):>12}{units.to_hm2(row.found_cm2):>12}{off:>12}"
                )
