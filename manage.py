#!/usr/bin/env python3
"""The command line: Django's commands, and those that need neither settings nor a database."""

import importlib
import os
import sys

PLAIN = {
    "interpret": "landdamage.interpretation.cli",
    "export_model": "landdamage.interpretation.export_cli",
    "samples": "landdamage.learning.samples.cli",
    "train": "landdamage.learning.train",
    "ablation": "landdamage.learning.ablation.cli",
    "dehaze": "enhancement.cli",
    "degrade": "enhancement.lednet.degrade_cli",
    "lednet": "enhancement.lednet.cli",
}
DATABASE = {"--from-patches", "--year"}  # options that need it


def main() -> int:
    # Accepted patches and the scenes of a year come from the database; files do not.
    if sys.argv[1:] and sys.argv[1] in PLAIN and not DATABASE.intersection(word.partition("=")[0] for word in sys.argv):
        return importlib.import_module(PLAIN[sys.argv[1]]).main(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "minegis.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
