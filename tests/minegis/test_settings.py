"""Settings refuse an unsafe production."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRONG = "correct-horse-battery-staple-0123456789"


def load(**environment: str) -> subprocess.CompletedProcess[str]:
    """Import the settings in a fresh interpreter whose environment holds only what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-c", "from minegis import settings as s; print(s.DEBUG, s.SESSION_COOKIE_SECURE)"]
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "too weak"),
        ({"SECRET_KEY": "a" * 64}, "too weak"),
        ({"SECRET_KEY": STRONG, "ALLOWED_HOSTS": "*"}, "must name the hosts"),
    ],
)
def test_unsafe_production_does_not_start(environment: dict[str, str], complaint: str) -> None:
    result = load(**environment)
    assert result.returncode != 0
    assert complaint in result.stderr


def test_production_for_others_needs_secure_cookies() -> None:
    assert load(SECRET_KEY=STRONG, ALLOWED_HOSTS="gis.example.org").stdout.split() == ["False", "True"]


def test_a_private_instance_on_loopback_runs_without_tls() -> None:
    assert load(SECRET_KEY=STRONG).stdout.split() == ["False", "False"]


def test_importing_pytest_does_not_weaken_passwords() -> None:
    command = [sys.executable, "-c", "import pytest; from minegis import settings as s; print(s.PASSWORD_HASHERS)"]
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": STRONG}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "PBKDF2" in result.stdout
    assert "MD5" not in result.stdout
