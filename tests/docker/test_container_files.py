"""The container files run what ``make demo`` runs: they are compared with the Procfile, since tests have no engine."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
PROCESSES = dict(
    re.fullmatch(r"([\w-]+): .*minegis\.local\.keep_alive (.+)", line).groups()  # type: ignore[union-attr]
    for line in (ROOT / "Procfile").read_text().splitlines()
)


def options(command: list[str]) -> list[str]:
    """A command line without what differs by nature: where it listens, where it keeps a file."""
    text = " ".join(command)
    for flag in ("--bind", "--schedule", "--worker-tmp-dir"):
        text = re.sub(rf" {flag} \S+", "", text)
    return text.split()


def test_same_workers() -> None:
    for name in ("worker-cpu", "worker-gpu", "worker-live", "beat"):
        assert options(SERVICES[name]["command"]) == options(shlex.split(PROCESSES[name]))


def test_same_web_server() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    command = re.findall(r'"([^"]+)"', text[text.index("CMD [") :])
    assert sorted(options(command)) == sorted(options(shlex.split(PROCESSES["web"])))


def test_same_memory_settings() -> None:
    settings = {"MALLOC_MMAP_THRESHOLD_=4000000000", "MALLOC_TRIM_THRESHOLD_=16000000000", "MALLOC_ARENA_MAX=1"}
    dockerfile, procfile = (ROOT / "docker" / "Dockerfile").read_text(), (ROOT / "Procfile").read_text().splitlines()
    assert all(setting in dockerfile for setting in settings)
    assert all(settings <= set(line.split()) for line in procfile if line.startswith("worker-"))


def test_nothing_but_the_proxy_is_published_or_privileged() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    for name in ("web", "worker-cpu", "worker-gpu", "worker-live", "beat", "migrate"):
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["read_only"] is True
    assert re.search(r"^USER minegis$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)


def test_compiled_passes_can_be_kept_on_a_read_only_root() -> None:
    """Numba refuses to import a function it may cache nowhere, and the code's own folder is read-only here."""
    folder = re.search(r"NUMBA_CACHE_DIR=(\S+)", (ROOT / "docker" / "Dockerfile").read_text())
    assert folder is not None
    for name in ("web", "worker-cpu", "worker-gpu", "worker-live"):
        assert SERVICES[name]["read_only"]
        assert any(Path(folder[1]).is_relative_to(mount) for mount in SERVICES[name]["tmpfs"])


def test_the_bucket_is_known_to_every_process_of_ours() -> None:
    """One that keeps its files elsewhere than the others would lose them."""
    from django.conf import settings

    shared = yaml.safe_load((ROOT / "docker" / "compose.s3.yaml").read_text())["services"]
    assert set(shared) == {name for name, service in SERVICES.items() if service["image"] == "minegis"}
    for service in shared.values():
        assert all(hasattr(settings, name) for name in service["environment"])
        assert set(service["networks"]) == {"inside", "outside"}
