"""``manage.py import_hydrography FILE --region --user --source``: rivers, lakes and reservoirs of a region."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.interchange.hydrography import KINDS
from landdamage.interchange.read import Choices
from landdamage.services.hydrography import file_sha256, hydrography_check, hydrography_import
from landdamage.services.openings import region_of
from minegis.access.models import User
from minegis.errors import Language, MineGISError


class Command(BaseCommand):
    help = "Read rivers, lakes and reservoirs (zipped shapefile, GeoPackage, GeoJSON, zipped FileGDB), areas or lines."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--region", required=True, help="GB/T 2260 code")
        parser.add_argument("--user", required=True, help="sign-in name of the reviewer or manager who answers for it")
        parser.add_argument("--source", required=True, help="what it comes from, e.g. the map's name and year")
        parser.add_argument("--kind", default="", choices=["", *KINDS], help="kind of all features; else a column's")
        parser.add_argument("--column", default="", help="column that holds the kind")
        parser.add_argument(
            "--map", action="append", default=[], metavar="WRITTEN=KIND", help="e.g. 沟渠=river, 海洋=skip"
        )
        parser.add_argument("--layer", default="", help="layer to read where the file holds several")
        parser.add_argument("--crs", default="", help="EPSG code for files without coordinate system")
        parser.add_argument("--encoding", default="", choices=["", "utf-8", "gbk"], help="of a shapefile's table")
        parser.add_argument("--repair", action="store_true", help="take self-intersecting polygons as repaired")
        parser.add_argument("--valid-from", type=date.fromisoformat, help="first day the waters hold, YYYY-MM-DD")
        parser.add_argument("--valid-to", type=date.fromisoformat, help="first day they hold no more")
        parser.add_argument("--replace", action="store_true", help="end on --valid-from what the region has had so far")
        parser.add_argument("--dry-run", action="store_true", help="only check the file")
        parser.add_argument("--language", choices=["zh", "en"], default="zh")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._import(options["language"], options)
        except MineGISError as error:
            raise CommandError(error.finding().line(options["language"])) from None

    def _import(self, language: Language, options: dict[str, Any]) -> None:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"no such user: {options['user']}")
        path = options["file"]
        if not path.is_file():
            raise CommandError(f"no such file: {path}")
        choices = Choices(
            layer=options["layer"],
            crs=options["crs"],
            encoding=options["encoding"],
            column=options["column"],
            mapping={name: kind for name, _, kind in (text.partition("=") for text in options["map"])},
            repair=options["repair"],
        )
        region = region_of(user, options["region"])
        read = hydrography_check(
            path=path, name=path.name, region=region, choices=choices, user=user, kind=options["kind"]
        )
        for finding in read.findings:
            self.stderr.write(finding.line(language))
        if read.frame is None:
            raise CommandError("nothing was imported")
        for kind, rows in read.frame["kind"].value_counts().items():
            self.stdout.write(f"{kind}: {rows}")
        if not options["dry_run"]:
            count = hydrography_import(
                region=region,
                frame=read.frame,
                source=options["source"],
                sha256=file_sha256(path),
                user=user,
                valid_from=options["valid_from"],
                valid_to=options["valid_to"],
                replaces=options["replace"],
            )
            self.stdout.write(f"{region.code}: {count}")
