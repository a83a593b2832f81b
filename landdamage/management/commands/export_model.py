"""``manage.py export_model`` as Django lists it; the work is in ``landdamage.interpretation.export_cli``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.interpretation import export_cli


class Command(BaseCommand):
    help = "Write an installed model as ONNX. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        export_cli.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = export_cli.run(argparse.Namespace(**options))
        if status:
            raise CommandError("export failed", returncode=status)
