"""Where the write-once files lie."""

from pathlib import Path

from django.conf import settings

from landdamage.imagery.storage import Storage


def files() -> Storage:
    """Originals, COGs, thumbnails and result rasters, named by content."""
    return Storage(settings.STORAGE_ROOT / "files")


def file_path(sha256: str) -> Path:
    """Where a stored file lies."""
    return files().path(sha256)
