"""Weights learned on photographs for a network's encoder, whatever the library that saved them called its parts.

Known are torchvision's names (ResNet, MobileNetV2, SqueezeNet, VGG), which are ours, and timm's; timm's ResNets share
torchvision's names, its MobileNetV2 does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

import torch
from torch import Tensor, nn

from landdamage.networks.backbones import Backbone
from landdamage.networks.mobilenetv2 import SETTINGS

PREFIXES = ("module.", "backbone.", "encoder.", "body.")  # what wrappers put before a name
# Parts that belong to the classifier of photographs.
CLASSIFIERS = MappingProxyType(
    {
        "mobilenetv2": r"classifier\.|features\.18\.",
        "resnet50": r"fc\.",
        "resnet101": r"fc\.",
        "squeezenet": r"classifier\.",
        "vgg16": r"classifier\.",
    }
)
_FIRST_BLOCK = (1, *(1 + n for n in accumulate(count for _, _, count, _ in SETTINGS)))  # of each stage in ``features``
_TIMM_PLAIN = {"conv_dw": "conv.0.0", "bn1": "conv.0.1", "conv_pw": "conv.1", "bn2": "conv.2"}
_TIMM_INVERTED = {
    "conv_pw": "conv.0.0", "bn1": "conv.0.1", "conv_dw": "conv.1.0", "bn2": "conv.1.1", "conv_pwl": "conv.2",
    "bn3": "conv.3",
}  # fmt: skip
_TIMM_ENDS = {"conv_stem": "features.0.0", "bn1": "features.0.1", "conv_head": "features.18.0", "bn2": "features.18.1"}


class EncoderMismatchError(ValueError):
    """The weights are not those of the network's backbone."""


def load_encoder(network: nn.Module, state: Mapping[str, Tensor], bands: Sequence[str]) -> int:
    """Put pretrained weights into a network's encoder; nothing is changed unless all of them fit.

    Photographs are red, green, blue: the stem's slices go to the places of R, G and B among ``bands``, other bands
    get their mean, all scaled by 3 / bands (see ``backbones.widen_stem``).

    Args:
        network: from ``build``, with a backbone.
        state: tensors by name of a whole classifier or of its features; half precision is widened.
        bands: letters of the network's input channels, R, G and B among them.

    Returns:
        How many tensors were taken.

    Raises:
        EncoderMismatchError: no backbone, a tensor is missing, superfluous, of another shape or not finite, or the
            bands lack a colour.
    """
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, Backbone):
        raise EncoderMismatchError("the network has no backbone")
    own = backbone.body.state_dict()
    found = _renamed(backbone.name, state)
    stem = f"{backbone.stem_name}.weight"
    counters = {name for name in own if name.endswith("num_batches_tracked")}  # older files lack them
    invented = {name for name in own if name.startswith(("fc6.", "fc7."))}  # FCN's own layers behind VGG stay random
    missing, extra = set(own) - set(found) - counters - invented, set(found) - set(own)
    if missing or extra:
        raise EncoderMismatchError(
            f"{backbone.name}: {len(missing)} tensors missing{_example(missing)}, {len(extra)} unknown{_example(extra)}"
        )
    for name, tensor in found.items():
        wanted = (own[name].shape[0], 3, *own[name].shape[2:]) if name == stem else tuple(own[name].shape)
        if tuple(tensor.shape) != wanted:
            raise EncoderMismatchError(f"{name} is {tuple(tensor.shape)}, not {wanted}")
        if not tensor.is_floating_point() and name not in counters:
            raise EncoderMismatchError(f"{name} holds no fractions")
        if not torch.isfinite(tensor).all():
            raise EncoderMismatchError(f"{name} is not finite")
    found[stem] = _for_bands(found[stem].float(), bands, own[stem].shape[1])
    backbone.body.load_state_dict(own | {name: t.to(own[name].dtype) for name, t in found.items()})
    return len(found)


def _renamed(backbone: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's share of a classifier's weights, under our names."""
    out = {}
    for name, tensor in state.items():
        while prefix := next((p for p in PREFIXES if name.startswith(p)), None):
            name = name.removeprefix(prefix)
        if backbone == "mobilenetv2":
            name = _from_timm(name)
        if not re.match(CLASSIFIERS[backbone], name):
            out[name] = tensor
    return out


def _from_timm(name: str) -> str:
    """torchvision's name of a tensor of timm's ``mobilenetv2_100``; other names come back as they are."""
    part, _, rest = name.partition(".")
    if part in _TIMM_ENDS:
        return f"{_TIMM_ENDS[part]}.{rest}"
    if block := re.fullmatch(r"blocks\.(\d)\.(\d)\.(\w+)\.(\w+)", name):
        stage, index = int(block[1]), int(block[2])
        names = _TIMM_PLAIN if stage == 0 else _TIMM_INVERTED
        if block[3] in names and stage < len(SETTINGS):
            return f"features.{_FIRST_BLOCK[stage] + index}.{names[block[3]]}.{block[4]}"
    return name


def _for_bands(weight: Tensor, bands: Sequence[str], channels: int) -> Tensor:
    """A stem for red, green, blue, (O,3,k,k), as one for ``bands``, (O,bands,k,k)."""
    if len(bands) != channels or not {"R", "G", "B"} <= set(bands):
        raise EncoderMismatchError(f"bands {','.join(bands)} are not {channels} with R, G and B among them")
    other = weight.mean(dim=1)
    slices = [weight[:, "RGB".index(band)] if band in ("R", "G", "B") else other for band in bands]
    return torch.stack(slices, dim=1) * (3 / channels)


def _example(names: set[str]) -> str:
    return f" (e.g. {min(names)})" if names else ""
