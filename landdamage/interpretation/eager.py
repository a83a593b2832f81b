"""The reference engine: torch, operation by operation, on a CPU or on CUDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.engine import Engine
from landdamage.interpretation.models import ModelCard
from minegis.errors import ModelError
from minegis.openvino import cpu_has_bf16

if TYPE_CHECKING:
    import torch

CPU_BATCH = 1  # larger ones gain nothing on a CPU and cost memory
CUDA_PIXELS = 16 * 512 * 512  # of a batch


class EagerEngine(Engine):
    """A torch network with channels last, in bfloat16 where that is fast.

    Args:
        card: what the model is.
        network: with its weights.
        device: ``cpu`` or ``cuda``.
        bf16: compute in bfloat16 (by autocast: what needs more stays in float32).
    """

    kind = "eager"

    def __init__(self, card: ModelCard, network: torch.nn.Module, device: str, *, bf16: bool) -> None:
        import torch

        hardware = "cpu" if device == "cpu" else torch.cuda.get_device_name(device)
        name = f"torch {torch.__version__}, {hardware}, {'bfloat16' if bf16 else 'float32'}"
        super().__init__(card, name, CPU_BATCH if device == "cpu" else max(1, CUDA_PIXELS // card.window**2))
        self._device, self._bf16 = torch.device(device), bf16
        self._network = network.eval().to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs

    def _logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._forward(batch, bf16=self._bf16)

    def _exact(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._forward(batch, bf16=False)

    def _forward(self, batch: NDArray[np.float32], *, bf16: bool) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            windows = torch.from_numpy(batch).to(self._device, memory_format=torch.channels_last)
            logits = self._network(windows)
            return logits.float().contiguous().cpu().numpy()


def load_network(card: ModelCard) -> torch.nn.Module:
    """The card's network with its weights.

    Raises:
        ModelError: E-MOD-03 the weights are missing or damaged, or the card describes no network; E-MOD-07 they do not
            fit it; E-MOD-08 they are not numbers.
    """
    from landdamage.networks import build
    from minegis.training import checkpoint

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
    return network.eval()


def load_eager(card: ModelCard, device: str = "auto", *, bf16: bool | None = None) -> EagerEngine:
    """See ``engine.load_engine``; ``bf16`` None means where the hardware has it."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if bf16 is None:
        bf16 = device != "cpu" or cpu_has_bf16()
    return EagerEngine(card, load_network(card), device, bf16=bf16)
