"""``manage.py samples --from-patches``: a sample set of accepted patches, straight into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.learning.samples.build import build
from landdamage.learning.samples.cli import add_parameters, parameters, show
from landdamage.selectors.accepted import mine_ground
from landdamage.services.sample_sets import patch_material, since_moment
from minegis.errors import MineGISError
from minegis.registry.models import Region
from minegis.terminal import default_language, finding_line


class Command(BaseCommand):
    help = "Cut accepted patches and decided changes of a region into a sample set; files alone need no database."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--from-patches", action="store_true", required=True)
        parser.add_argument("--region", required=True, help="GB/T 2260 code")
        parser.add_argument("--since", default="", help="accepted after a date, or after MODEL@VERSION first ran")
        parser.add_argument("--years", type=int, nargs="+", default=[], help="of the scenes (all)")
        parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the set; must not exist yet")
        parser.add_argument("--name", default="", help="of the set")
        parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")
        add_parameters(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        region = Region.objects.filter(code=options["region"], valid_to__isnull=True).first()
        if region is None:
            raise CommandError(f"no region {options['region']}")
        try:
            params = parameters(options)
            source: dict[str, Any] = {"years": options["years"]} if options["years"] else {}
            if options["since"]:
                source["since"] = since_moment(options["since"], region).isoformat()
            named = mine_ground(region) if params.regions == "mine" else []
            material = patch_material(region, source)
            made = build(material, params, options["output"], name=options["name"], named=named)
        except MineGISError as error:
            raise CommandError(finding_line(error.finding(), options["lang"])) from error
        show(made, options["lang"])
