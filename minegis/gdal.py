"""One libgdal for everybody: GeoDjango loads the very files that rasterio's wheel carries."""

from __future__ import annotations

import os
from pathlib import Path

# A foreign PROJ or GDAL data folder in the environment belongs to another build and breaks transforms.
for _name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH"):
    os.environ.pop(_name, None)

# The wheel's libgdal finds its sibling libraries only once rasterio's own modules have loaded them.
import rasterio  # noqa: E402


def _bundled(pattern: str) -> str | None:
    folder = Path(rasterio.__file__).resolve().parent.parent / "rasterio.libs"
    found = sorted(folder.glob(pattern))
    return str(found[0]) if found else None


def library_paths() -> tuple[str | None, str | None]:
    """Paths of libgdal and libgeos_c inside rasterio's wheel; None where rasterio was built against the system's."""
    return _bundled("libgdal-*.so*"), _bundled("libgeos_c-*.so*")
