"""``manage.py interpret`` as Django lists it; the work is in ``landdamage.interpretation.cli``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.interpretation import cli


class Command(BaseCommand):
    help = "Interpret a scene: patches, class raster and area table. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = cli.run(argparse.Namespace(**options))
        if status:
            raise CommandError("interpretation failed", returncode=status)
