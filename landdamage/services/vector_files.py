"""Vector files that people send: how large they may be, where the readers find them, what identifies an exchange."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from minegis.errors import MineGISError

MAX_UPLOAD = 512 << 20  # a prefecture's patches are some 100 MB


def refuse_large(*files: UploadedFile | None) -> None:
    """Raise E-VEC-16 for files that are larger together than a region's vectors can be."""
    size = sum(file.size or 0 for file in files if file)
    if size > MAX_UPLOAD:
        raise MineGISError("E-VEC-16", value=f"{size >> 20} MB", limit=f"{MAX_UPLOAD >> 20} MB")


def written(file: UploadedFile, path: Path) -> Path:
    """Put an uploaded file where the readers can open it."""
    with path.open("wb") as out:
        out.writelines(file.chunks())
    return path


def seal(shown: Any, *paths: Path | None) -> str:
    """The number of a report that shows ``shown`` (anything JSON holds) of these files, SHA-256."""
    digest = hashlib.sha256(json.dumps(shown, sort_keys=True, ensure_ascii=False).encode())
    for path in paths:
        if path is not None:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
