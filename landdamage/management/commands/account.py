"""``manage.py account``: compute a region's year, decide and publish if asked, and print its statement."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from landdamage.models import Edition
from landdamage.selectors.editions import edition_regions, edition_sums
from landdamage.selectors.reviews import tailings_open, waters_open
from landdamage.services.account import edition_verify
from landdamage.services.decisions import accept_all
from landdamage.services.editions import edition_compute, edition_draft, edition_freeze, edition_publish
from landdamage.services.tailings import POND, tailings_review
from minegis import units
from minegis.access.models import User
from minegis.errors import TABLE, MineGISError, message
from minegis.jobs.models import Job
from minegis.jobs.runner import run_job
from minegis.registry.models import Region

COLUMNS = (
    "opening", "new", "first_seen", "adj_plus", "restored", "adj_minus", "moved_in", "moved_out", "exit", "closing",
    "carried", "pending", "undecided",
)  # fmt: skip
UNIT_CM2 = 1_000_000  # 0.01 hm²


class Command(BaseCommand):
    help = "Compute the account of a region's year and print its statement in hectares."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--year", type=int, required=True)
        parser.add_argument("--region", required=True, help="GB/T 2260 code")
        parser.add_argument("--note", default="", help="change note of another version of a published year")
        parser.add_argument("--accept-all", metavar="USER", help="this reviewer decides all that waits as new damage")
        parser.add_argument(
            "--confirm-tailings",
            metavar="USER",
            help="this reviewer has looked at every tailings pond that the model found, and each is one",
        )
        parser.add_argument("--freeze", action="store_true", help="lock the numbers")
        parser.add_argument("--publish", metavar="USER", help="this manager publishes; implies --freeze")
        parser.add_argument("--sign-bias", action="store_true", help="publish in spite of a large bias")
        parser.add_argument(
            "--verify", action="store_true", help="only compute the newest edition again and compare hashes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except MineGISError as error:
            raise CommandError(f"{error}\n{error.hint('en')}".strip()) from error

    def _handle(self, options: dict[str, Any]) -> None:
        region = Region.objects.filter(code=options["region"], valid_to__isnull=True).first()
        if region is None:
            raise CommandError(f"no region {options['region']}")
        editions = Edition.objects.filter(region=region, year=options["year"]).order_by("-version")
        if options["verify"]:
            edition = editions.first()
            if edition is None:
                raise CommandError(f"no edition of {options['year']}")
            self.stdout.write(f"{edition} {edition.state}: computed again, {edition_verify(edition)}")
            return
        edition = editions.filter(state__in=[Edition.State.DRAFT, Edition.State.FROZEN]).first()
        if edition is None:
            edition = edition_draft(region=region, year=options["year"], user=None, change_note=options["note"])
        if edition.state == Edition.State.DRAFT:
            edition = self._compute(edition)
            if options["confirm_tailings"]:
                reviewer = _person(options["confirm_tailings"])
                for patch in (ponds := list(tailings_open(edition))):
                    tailings_review(patch=patch, shows=POND, user=reviewer, version=patch.version)
                self.stdout.write(f"{len(ponds)} tailings ponds confirmed")
            if options["accept_all"]:
                count = accept_all(edition=edition, user=_person(options["accept_all"]))
                self.stdout.write(f"{count} changes accepted")
                edition.refresh_from_db()
            if options["freeze"] or options["publish"]:
                edition = edition_freeze(edition=edition, user=None, lock=edition.lock)
        if options["publish"]:
            edition = edition_publish(
                edition=edition,
                user=_person(options["publish"]),
                lock=edition.lock,
                sign_bias=options["sign_bias"],
            )
        self._show(edition)

    def _compute(self, edition: Edition) -> Edition:
        """Compute here, unless a worker was faster."""
        edition = edition_compute(edition=edition, user=None, lock=edition.lock)
        job = edition.job
        if job is None:
            raise CommandError("the account has no job")
        run_job(job.pk, worker="manage.py account")
        while Job.objects.get(pk=job.pk).is_active:
            time.sleep(0.5)
        job.refresh_from_db()
        if job.state != Job.State.SUCCEEDED:
            code = job.error_code
            raise CommandError(f"{code}: {message(code, 'en', **job.error_values)}" if code in TABLE else job.state)
        edition.refresh_from_db()
        return edition

    def _show(self, edition: Edition) -> None:
        self.stdout.write(f"{edition} {edition.state}  {edition.content_sha256 or '(no hash yet)'}")
        self.stdout.write("hm²" + " " * 9 + "".join(f"{name:>12}" for name in COLUMNS))
        sums = edition_sums(edition)
        closed = {name: units.close_table([row[name] for row in sums.values()], UNIT_CM2) for name in COLUMNS}
        for position, kind in enumerate(sums):
            self.stdout.write(f"{kind:<12}" + "".join(f"{closed[name][position] / 100:>12.2f}" for name in COLUMNS))
        self.stdout.write(f"{'total':<12}" + "".join(f"{sum(closed[name]) / 100:>12.2f}" for name in COLUMNS))
        for row in edition_regions(edition):
            self.stdout.write(f"{row.code} {row.name_zh}: {100 * row.coverage:.1f} % observed")
        waiting = edition.pieces.filter(kind="new", decision="").count()
        waters, ponds = waters_open(edition).count(), tailings_open(edition).count()
        self.stdout.write(f"{waiting} changes, {waters} waters and {ponds} tailings ponds wait for a decision")


def _person(name: str) -> User:
    person = User.objects.filter(username=name).first()
    if person is None:
        raise CommandError(f"no user {name}")
    return person
