"""Weights from elsewhere: a state dict in safetensors or in torch's own format, read without running what it says."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from minegis.errors import ModelError

LARGEST_BYTES = 2 * 2**30  # ResNet-101 has 0.18 GB, VGG-16 with its classifier 0.55
WRAPPERS = ("state_dict", "model", "model_state_dict")  # under which training scripts keep the weights


def read_state_dict(path: Path) -> tuple[dict[str, Tensor], str]:
    """Tensors by name and the file's SHA-256.

    Args:
        path: ``.safetensors``, or anything ``torch.load(weights_only=True)`` takes; never unpickled freely.

    Raises:
        ModelError: E-MOD-11 the file cannot be read, is too large, asks for more than tensors, or holds none.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES or _unpacked_bytes(path) > LARGEST_BYTES:
            raise _refused(path, f"> {LARGEST_BYTES // 2**30} GB")
        content = path.read_bytes()
        if path.suffix == ".safetensors":
            found: Any = safetensors.torch.load(content)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError, IndexError) as error:
        raise _refused(path, type(error).__name__) from error
    except (pickle.UnpicklingError, safetensors.SafetensorError, zipfile.BadZipFile) as error:
        raise _refused(path, type(error).__name__) from error
    for wrapper in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found:
        raise _refused(path, type(found).__name__)
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or tensor.layout is not torch.strided:
            raise _refused(path, str(name)[:80])
    return dict(found), hashlib.sha256(content).hexdigest()


def _unpacked_bytes(path: Path) -> int:
    """What a zip archive becomes when unpacked; 0 for other files."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _refused(path: Path, reason: str) -> ModelError:
    return ModelError("E-MOD-11", value=path.name, reason=reason)
