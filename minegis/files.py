"""Where the write-once files of the applications lie: in a folder, or in a bucket that several machines share."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from minegis.storage import Storage, Store

if TYPE_CHECKING:
    from uuid import UUID

    from minegis.objects.bucket import Bucket, Place
    from minegis.objects.cache import FileCache
    from minegis.objects.shelf import BucketShelf


def files() -> Store:
    """Scenes and books: originals, COGs, thumbnails, result rasters, evidence, named by content; never deleted."""
    return store_named("files")


def file_path(sha256: str) -> Path:
    """A local path of a stored file, to be opened soon.

    Raises:
        StorageError: E-STO-*, it lies in a bucket and cannot be had.
    """
    return files().fetch(sha256)


def store_named(name: str) -> Store:
    """The write-once files of one folder of the storage.

    Raises:
        StorageError: E-STO-07, the settings of the bucket are wrong.
    """
    shared = bucket()
    if shared is None:
        return Storage(settings.STORAGE_ROOT / name)
    from minegis.objects.store import BucketStorage

    return BucketStorage(shared, name, cache())


def bucket() -> Bucket | None:
    """The bucket that machines share; None where they share the folder ``STORAGE_ROOT``, or there is one machine.

    Raises:
        StorageError: E-STO-07, its settings are wrong.
    """
    if not settings.STORAGE_URL:
        return None
    from minegis.objects.bucket import Place

    return _bucket(
        Place.of(
            settings.STORAGE_URL,
            endpoint=settings.S3_ENDPOINT_URL,
            key=settings.AWS_ACCESS_KEY_ID,
            secret=settings.AWS_SECRET_ACCESS_KEY,
            token=settings.AWS_SESSION_TOKEN,
            region=settings.AWS_REGION,
            patience_s=settings.S3_PATIENCE_SECONDS,
        )
    )


@lru_cache(maxsize=4)
def _bucket(place: Place) -> Bucket:
    from minegis.objects.bucket import Bucket

    return Bucket(place)


def cache() -> FileCache:
    """This machine's copies of what lies in the bucket."""
    from minegis.objects.cache import FileCache

    return FileCache(Path(settings.STORAGE_ROOT) / "cache", int(settings.STORAGE_CACHE_GB * 2**30))


def job_shelf(job_id: UUID, name: str) -> BucketShelf | None:
    """What the workers of one job share beside its folder; None where they see one folder.

    Raises:
        StorageError: E-STO-07.
    """
    shared = bucket()
    if shared is None:
        return None
    from minegis.objects.shelf import BucketShelf

    return BucketShelf(shared, f"work/{job_id}/{name}")


def folder_path(name: str) -> Path:
    """A folder that is made once, such as a sample set; one that another machine made is brought here first.

    Raises:
        StorageError: E-STO-*.
    """
    path, shared = Path(settings.STORAGE_ROOT) / name, bucket()
    if shared is not None:
        from minegis.objects.folders import fetch_folder

        fetch_folder(shared, name, path)
    return path


def folder_share(folder: Path, name: str) -> None:
    """Let other machines have a finished folder; nothing where there is one machine, or a common folder.

    Raises:
        StorageError: E-STO-*.
    """
    shared = bucket()
    if shared is not None and folder.is_dir():
        from minegis.objects.folders import put_folder

        put_folder(shared, name, folder)
