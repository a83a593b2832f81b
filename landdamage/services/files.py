"""Where the write-once files lie."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile

from minegis.errors import MineGISError
from minegis.files import file_path, files

__all__ = ["file_path", "files", "received"]

MAX_VECTOR_BYTES = 512 << 20  # a prefecture's patches are some 100 MB


@contextmanager
def received(
    file: UploadedFile | None, *, most: int = MAX_VECTOR_BYTES, code: str = "E-VEC-16"
) -> Iterator[Path | None]:
    """A file sent with a form as a path, while it is needed; None stays None.

    Args:
        file: by default a vector file.
        most: bytes it may have.
        code: of the error where it has more.

    Raises:
        MineGISError: ``code``, it is larger than ``most``.
    """
    if file is None:
        yield None
        return
    if (file.size or 0) > most:
        raise MineGISError(code, value=f"{(file.size or 0) >> 20} MB", limit=f"{most >> 20} MB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as out:
            out.writelines(file.chunks())
        yield path
