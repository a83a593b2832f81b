"""OpenVINO without its reporting, and whether this CPU multiplies bfloat16: for any network of the platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def import_openvino() -> Any:
    """The ``openvino`` module, imported so that it reports to nobody.

    At its import it would send an event to its maker through the package ``openvino-telemetry``, unless a file in the
    home folder says no. Where that package cannot be imported it uses a stub of its own that does nothing.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
    import openvino

    return openvino


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; emulated it would be slower than float32."""
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
