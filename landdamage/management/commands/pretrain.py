"""``manage.py pretrain`` as Django lists it; the work is in ``landdamage.learning.pretrain``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from landdamage.learning import pretrain


class Command(BaseCommand):
    help = "Teach an encoder on images without labels. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        pretrain.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        status = pretrain.run(argparse.Namespace(**options))
        if status:
            raise CommandError("pretraining failed", returncode=status)
