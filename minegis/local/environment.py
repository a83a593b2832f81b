"""The environment of our processes: services, secrets and folders of one place."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from minegis.local.services import Services

# Another program's PROJ or GDAL data must not meet the libraries inside our wheels.
FOREIGN = ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_NETWORK", "PYTHONPATH", "PYTHONHOME")
MARK = "MINEGIS_PLACE"


def variables(services: Services) -> dict[str, str]:
    """What our processes get besides the caller's environment; a variable the caller has set wins."""
    place = services.place
    own = {
        "SECRET_KEY": _secret(place.var / "secret_key"),
        "MINEGIS_STORAGE": str(place.var / "storage"),
        "DJANGO_SETTINGS_MODULE": "minegis.settings",
    }
    return {key: os.environ.get(key) or value for key, value in (own | services.urls()).items()}


def environment(services: Services) -> dict[str, str]:
    """The whole environment for a program of the virtual environment."""
    base = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    scripts = services.place.root / ".venv" / "bin"
    return (
        base
        | variables(services)
        | {"PATH": f"{scripts}:{base.get('PATH', '/usr/bin:/bin')}", "VIRTUAL_ENV": str(scripts.parent)}
    )


def _secret(path: Path) -> str:
    """The instance's secret key, made once and readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(50))
    return path.read_text()
