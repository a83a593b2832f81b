"""``manage.py report``: write the delivery of a region's year into a folder, without worker or web server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from landdamage.models import ChangePiece, Edition
from landdamage.reports.bundle import Options, write_bundle
from landdamage.reports.document import Makers
from landdamage.selectors.chips import piece_chips
from landdamage.selectors.editions import edition_data
from minegis.errors import MineGISError


class Command(BaseCommand):
    help = "Write report, tables, vectors and maps of a region's year as one zip."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--year", type=int, required=True)
        parser.add_argument("--region", required=True, help="GB/T 2260 code")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
        parser.add_argument("--edition", type=int, dest="edition_version", help="of the edition; default the newest")
        parser.add_argument("--lang", choices=["zh", "en"], default="zh")
        parser.add_argument("--maps", type=int, default=30, help="most map sheets of single mines")
        parser.add_argument("--evidence", type=int, default=100, help="most evidence sheets")
        parser.add_argument("--unit", default="", help="who compiled it, as printed")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Edition.objects.filter(region__code=options["region"], year=options["year"])
        found = found.exclude(state=Edition.State.WITHDRAWN).exclude(computed_at=None).order_by("-version")
        if options["edition_version"]:
            found = found.filter(version=options["edition_version"])
        edition = found.select_related("region", "based_on", "published_by").first()
        if edition is None:
            raise CommandError(f"no computed edition of {options['region']} for {options['year']}")

        def chips(piece_id: int) -> tuple[bytes | None, bytes | None]:
            return piece_chips(ChangePiece.objects.select_related("edition").get(pk=piece_id), None)

        def told(stage: str, share: float) -> None:
            self.stderr.write(f"{share:4.0%} {stage}")

        wanted = Options(
            language=options["lang"],
            makers=Makers(unit=options["unit"]),
            map_sheets=options["maps"],
            evidence_sheets=options["evidence"],
        )
        target: Path = options["output"]
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target) as work:
            try:
                path = write_bundle(edition_data(edition, None), Path(work), wanted, chips=chips, progress=told)
            except MineGISError as error:
                raise CommandError(f"{error}\n{error.hint('en')}".strip()) from error
            done = Path(shutil.move(path, target / path.name))
        self.stdout.write(str(done))
