"""What a network's encoder starts from: nothing, a file of weights learned on photographs, or ImageNet's from a hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from landdamage.networks.pretrained import EncoderMismatchError, load_encoder
from minegis.errors import ModelError
from minegis.training.foreign import read_state_dict

NONE: dict[str, Any] = {"source": "none"}  # the card's field of a model whose encoder started at random
HUB_NAMES = {"mobilenetv2": "mobilenet_v2", "resnet50": "resnet50", "resnet101": "resnet101", "vgg16": "vgg16"}


def start_encoder(network: nn.Module, encoder_weights: str | Path | None, bands: Sequence[str]) -> dict[str, Any]:
    """Give a network's encoder the weights it is to start from, and say for the card what they were.

    Args:
        network: from ``networks.build``.
        encoder_weights: None for random ones; ``imagenet`` to fetch them from the model hub of
            segmentation-models-pytorch, the only thing here that opens a connection; or the path of a torchvision or
            timm state dict, ``.safetensors`` or ``.pth``.
        bands: letters of the input channels; R, G and B must be among them where there are weights.

    Returns:
        The card's field ``encoder_weights``: ``source`` (none, imagenet or file), and for weights ``file`` or
        ``revision``, ``sha256`` of a file, ``tensors``.

    Raises:
        ModelError: E-MOD-11 the file cannot be read or asks for more than tensors, E-MOD-12 the weights do not fit
            the network, E-MOD-13 they could not be fetched.
    """
    if encoder_weights is None:
        return dict(NONE)
    if encoder_weights == "imagenet":
        source = "imagenet"
        state, facts = _fetched(network)
    else:
        path = Path(encoder_weights)
        source = path.name
        state, sha256 = read_state_dict(path)
        facts = {"source": "file", "file": path.name, "sha256": sha256}
    try:
        return facts | {"tensors": load_encoder(network, state, bands)}
    except EncoderMismatchError as error:
        raise ModelError("E-MOD-12", value=source, reason=str(error)) from error


def _fetched(network: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """ImageNet's weights of a network's backbone from the hub (or from its cache on this machine)."""
    name = getattr(getattr(network, "backbone", None), "name", "none")
    if name not in HUB_NAMES:
        raise ModelError("E-MOD-13", value=name)
    from landdamage.networks import _torchvision  # noqa: F401 - must precede smp

    # isort: split
    import segmentation_models_pytorch as smp
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        encoder = smp.encoders.get_encoder(HUB_NAMES[name], weights="imagenet")
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError("E-MOD-13", value=name) from error
    settings = smp.encoders.encoders[HUB_NAMES[name]]["pretrained_settings"]["imagenet"]
    return encoder.state_dict(), {"source": "imagenet", "revision": f"{settings['repo_id']}@{settings['revision']}"}
