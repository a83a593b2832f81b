"""``manage.py ablation`` as Django lists it; the work is in ``landdamage.learning.ablation``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.learning.ablation import cli


class Command(BaseCommand):
    help = "Compare networks on equal terms and write the tables. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = cli.run(argparse.Namespace(**options))
        if status:
            raise CommandError("the comparison failed", returncode=status)
