"""The network as something that turns windows into probabilities, on whatever device is at hand.

Torch is imported when an engine is loaded, so that a process that never interprets never pays for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.models import ModelCard
from minegis.errors import ModelError

if TYPE_CHECKING:
    import torch

CPU_BATCH, CUDA_BATCH = 1, 16  # larger batches gain nothing on a CPU and cost memory


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; emulated it would be slower than float32."""
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


class Engine:
    """A network ready to run.

    Attributes:
        card: what the model is.
        name: device, number type and library, recorded with every result.
        classes: number of classes out.
        batch: how many windows to give at once.
    """

    def __init__(self, card: ModelCard, network: torch.nn.Module, device: str, *, bf16: bool) -> None:
        import torch

        self.card = card
        self.classes = int(card.network["classes"])
        self.batch = CPU_BATCH if device == "cpu" else CUDA_BATCH
        hardware = "cpu" if device == "cpu" else torch.cuda.get_device_name(device)
        self.name = f"torch {torch.__version__}, {hardware}, {'bfloat16' if bf16 else 'float32'}"
        self._device, self._bf16 = torch.device(device), bf16
        self._network = network.eval().to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class probabilities of normalised windows.

        Args:
            batch: (N, bands, H, W) float32, invalid pixels and missing bands 0.

        Returns:
            (N, classes, H, W) float32, calibrated with the card's temperature, summing to 1 over the classes.

        Raises:
            ModelError: E-MOD-06 the result is not a number, in single precision neither.
        """
        found = self._forward(batch, bf16=self._bf16)
        if not np.isfinite(found).all() and self._bf16:
            # Half-precision kernels have been seen to fail in passing; a NaN would silently become background.
            found = self._forward(batch, bf16=False)
        if not np.isfinite(found).all():
            raise ModelError("E-MOD-06", value=self.card.name)
        return found

    def _forward(self, batch: NDArray[np.float32], *, bf16: bool) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            windows = torch.from_numpy(batch).to(self._device, memory_format=torch.channels_last)
            logits = self._network(windows)
        with torch.inference_mode():
            return (logits.float() / self.card.temperature).softmax(dim=1).cpu().numpy()


def load_engine(card: ModelCard, device: str = "auto") -> Engine:
    """Build the card's network and load its weights.

    Args:
        card: the model.
        device: ``auto`` (CUDA if there is any), ``cpu`` or ``cuda``. CUDA always computes in bfloat16, a CPU where
            its hardware has it.

    Raises:
        ModelError: E-MOD-03 the weights are missing or damaged, or the card describes no network; E-MOD-07 they do not
            fit it; E-MOD-08 they are not numbers.
    """
    import torch

    from landdamage.networks import build
    from minegis.training import checkpoint

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    state, _ = checkpoint.load(card.path)
    spec = card.network
    try:
        network = build(
            spec["name"],
            backbone=spec["backbone"],
            in_channels=spec["in_channels"],
            classes=spec["classes"],
            **spec.get("switches", {}),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError("E-MOD-03", value=card.path.name) from error
    checkpoint.fit(network, state, card.path.name)
    return Engine(card, network, device, bf16=device != "cpu" or cpu_has_bf16())
