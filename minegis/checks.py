"""Start-up self-tests: one libgdal, true areas, disk space."""

from __future__ import annotations

import shutil
from typing import Any

import rasterio
from django.conf import settings
from django.contrib.gis.gdal import gdal_version
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from minegis import units
from minegis.errors import StorageError
from minegis.files import bucket

MIN_FREE_BYTES = 2 * 2**30


@register("gis")
def one_libgdal(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """GeoDjango and rasterio must share one GDAL, or transforms silently use different PROJ databases."""
    django_version = gdal_version().decode()
    if django_version != rasterio.__gdal_version__:
        return [
            Error(
                f"GeoDjango loads GDAL {django_version}, rasterio carries {rasterio.__gdal_version__}.",
                hint="Unset GDAL_LIBRARY_PATH and install rasterio from its wheel.",
                id="minegis.E001",
            )
        ]
    return []


@register("gis")
def true_areas(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The area function must reproduce the reference square to 0.5 m²."""
    wrong = units.self_test()
    return (
        [Error(f"Areas cannot be trusted: {wrong}.", hint="Reinstall pyproj and shapely.", id="minegis.E002")]
        if wrong
        else []
    )


@register("storage")
def free_disk(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn before uploads start to fail for lack of space."""
    folder = settings.STORAGE_ROOT
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        return [
            checks.Warning(
                f"Only {free / 2**30:.1f} GiB left for uploads.",
                hint="Free space or move MINEGIS_STORAGE.",
                id="minegis.W001",
            )
        ]
    return []


@register("storage")
def shared_storage(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The shared bucket must be there and take what is written; one that is away for the moment is only warned of."""
    try:
        shared = bucket()
        if shared is not None:
            shared.check()
    except StorageError as error:
        text, hint = f"{error.code}: {error.message('en')}.", error.hint("en")
        if error.code == "E-STO-01":
            return [checks.Warning(text, hint=hint, id="minegis.W002")]
        return [Error(text, hint=hint, id="minegis.E003")]
    return []
