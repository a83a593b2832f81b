"""``manage.py export --year --region --format -o DIR``: the vectors of an edition."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.interchange.write import ENCODINGS, FORMATS, GRIDS, write_vectors
from landdamage.models import Edition
from landdamage.selectors.editions import edition_data
from minegis.access.models import User
from minegis.errors import MineGISError


class Command(BaseCommand):
    help = "Write the vectors of a region's year: the published edition, or the draft with --draft."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--year", type=int, required=True)
        parser.add_argument("--region", required=True, help="GB/T 2260 code of the edition's region")
        parser.add_argument("--format", choices=FORMATS, default="gpkg")
        parser.add_argument("--encoding", choices=ENCODINGS, default="utf-8", help="of the shapefile's tables")
        parser.add_argument("--crs", choices=GRIDS, default="4490", help="Gauss-Kruger zone for gpkg, shp and gdb")
        parser.add_argument("--draft", action="store_true", help="the edition that is not published yet")
        parser.add_argument("--user", help="write what this person may know; without, what everybody may")
        parser.add_argument("-o", "--output", type=Path, default=Path(), help="folder")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first() if options["user"] else None
        if options["user"] and user is None:
            raise CommandError(f"no such user: {options['user']}")
        states = ("draft", "frozen") if options["draft"] else ("published",)
        editions = Edition.objects.filter(region__code=options["region"], year=options["year"], state__in=states)
        edition = editions.order_by("-version").first()
        if edition is None:
            raise CommandError(f"no {' or '.join(states)} edition of {options['region']} for {options['year']}")
        folder = options["output"]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            data = edition_data(edition, user)
            path = write_vectors(data, folder, options["format"], options["encoding"], options["crs"])
        except MineGISError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(str(path))
