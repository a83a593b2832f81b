"""``manage.py demo_video``: a camera with a dusty clip and its enhancement, sent to a running MineGIS."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from knox.models import get_token_model
from tusclient.client import TusClient

from enhancement.services.demo import show_video
from minegis.access.models import User
from minegis.errors import MineGISError
from minegis.jobs.models import Job

DEADLINE = 1800.0  # seconds for a job on a slow machine


class Command(BaseCommand):
    help = "Draw a flight over a scene in dust, send it to the running server, wait until it has been enhanced."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("scene", type=Path, help="a GeoTIFF whose first bands are blue, green and red")
        parser.add_argument("--target", nargs=2, type=float, required=True, metavar=("LON", "LAT"))
        parser.add_argument("--user", required=True, help="who sends and enhances it")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the web server answers")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.get(username=options["user"])
        url = options["url"].rstrip("/")

        def send(path: Path, metadata: dict[str, str]) -> None:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            _, token = get_token_model().objects.create(user=user)
            client = TusClient(f"{url}/api/v1/uploads/", headers={"Authorization": f"Token {token}"})
            client.uploader(str(path), chunk_size=8 * 2**20, metadata={**metadata, "sha256": sha256}).upload()

        longitude, latitude = options["target"]
        try:
            made = show_video(scene=options["scene"], target=(longitude, latitude), user=user, send=send, wait=_wait)
        except (MineGISError, TimeoutError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"a clip in dust and without it: {url}{reverse('clip', args=[made.clip_id])}")


def _wait(job: Job) -> None:
    end = time.monotonic() + DEADLINE
    while job.is_active:
        if time.monotonic() > end:
            raise TimeoutError("the worker did not finish in time; see `make stop` and the logs in var/")
        time.sleep(0.5)
        job.refresh_from_db()
