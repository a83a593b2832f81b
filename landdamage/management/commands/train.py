"""``manage.py train`` as Django lists it; the work is in ``landdamage.learning.train``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.learning import train


class Command(BaseCommand):
    help = "Train a network. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        train.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = train.run(argparse.Namespace(**options))
        if status:
            raise CommandError("training failed", returncode=status)
