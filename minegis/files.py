"""Where the write-once files of the applications lie."""

from pathlib import Path

from django.conf import settings

from minegis.storage import Storage


def files() -> Storage:
    """Scenes and books: originals, COGs, thumbnails, result rasters, evidence, named by content; never deleted."""
    return Storage(settings.STORAGE_ROOT / "files")


def file_path(sha256: str) -> Path:
    """Where a stored file lies."""
    return files().path(sha256)
