"""``manage.py import_opening FILE --year --region --user``: earlier polygons as a region's first book."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.accounting.surveyed import EXTENTS
from landdamage.interchange.read import Choices
from landdamage.services.openings import Survey, opening_book, opening_check, region_of
from minegis.access.models import User
from minegis.errors import Language, MineGISError


class Command(BaseCommand):
    help = "Read polygons of an earlier year (zipped shapefile, GeoPackage, GeoJSON, zipped FileGDB) as opening book."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--year", type=int, required=True)
        parser.add_argument("--region", required=True, help="GB/T 2260 code")
        parser.add_argument("--user", required=True, help="sign-in name of the analyst in whose name it is booked")
        parser.add_argument("--layer", default="", help="layer to read where the file holds several")
        parser.add_argument("--crs", default="", help="EPSG code for files without coordinate system")
        parser.add_argument("--encoding", default="", choices=["", "utf-8", "gbk"], help="of a shapefile's table")
        parser.add_argument("--column", default="", help="column that holds the class")
        parser.add_argument(
            "--map", action="append", default=[], metavar="CLASS=STATE", help="e.g. 固体废弃物=stockpile, 其他=skip"
        )
        parser.add_argument("--repair", action="store_true", help="take self-intersecting polygons as repaired")
        parser.add_argument("--clip", action="store_true", help="clip overlaps by the precedence of the classes")
        parser.add_argument(
            "--coverage",
            default="",
            choices=["", *EXTENTS],
            help="what the survey covered; needed to book. whole: ground without a polygon is booked as undamaged, "
            "damage found there later is new. layer: only the ground of a layer is. unknown: such ground counts as "
            "never observed, damage found there later is first seen",
        )
        parser.add_argument("--coverage-file", type=Path, help="file with that layer; left out, it is in FILE")
        parser.add_argument("--coverage-layer", default="", help="name of that layer")
        parser.add_argument("--change-note", default="", help="what is different, where the year was withdrawn")
        parser.add_argument("--dry-run", action="store_true", help="only check the file")
        parser.add_argument("--language", choices=["zh", "en"], default="zh")

    def handle(self, *args: Any, **options: Any) -> None:
        language = options["language"]
        try:
            self._import(language, options)
        except MineGISError as error:
            raise CommandError(error.finding().line(language)) from None

    def _import(self, language: Language, options: dict[str, Any]) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"no such user: {options['user']}")
        beside = options["coverage_file"]
        for path in (options["file"], *([beside] if beside else [])):
            if not path.is_file():
                raise CommandError(f"no such file: {path}")
        pairs = [text.partition("=") for text in options["map"]]
        choices = Choices(
            layer=options["layer"],
            crs=options["crs"],
            encoding=options["encoding"],
            column=options["column"],
            mapping={name: state for name, _, state in pairs},
            repair=options["repair"],
            clip=options["clip"],
        )
        region = region_of(user, options["region"])
        survey = Survey(options["coverage"], beside, beside.name if beside else "", options["coverage_layer"])
        checked = opening_check(
            path=options["file"],
            name=options["file"].name,
            region=region,
            choices=choices,
            survey=survey,
            user=user,
        )
        for finding in checked.findings:
            self.stderr.write(finding.line(language))
        for row in checked.opening.facts.get("states", []):
            self.stdout.write(f"{row['state']}: {row['polygons']}, {row['area_cm2'] / 10_000:.2f} m²")
        if not checked.usable:
            raise CommandError("nothing was imported")
        if not options["dry_run"]:
            edition = opening_book(
                checked=checked, region=region, year=options["year"], user=user, change_note=options["change_note"]
            )
            self.stdout.write(f"{edition} {edition.pk}")
