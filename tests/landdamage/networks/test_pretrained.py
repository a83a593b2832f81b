"""Encoders from weights learned on photographs: every naming, every place of the colours, nothing that does not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from landdamage.networks import (
    _torchvision,  # noqa: F401 - must precede timm
    build,
)
from landdamage.networks.pretrained import EncoderMismatchError, load_encoder
from tests.landdamage.networks.test_backbones import with_statistics

# isort: split
import timm
from torchvision.models import mobilenet_v2

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def photographs() -> State:
    """MobileNetV2 with norms that are not the identity, under torchvision's names."""
    torch.manual_seed(3)
    return with_statistics(mobilenet_v2(weights=None)).state_dict()


def test_colours_find_their_bands(photographs: State) -> None:
    """The same photograph gives the same maps, whether it comes as RGB, as BGR, or as BGR with their mean behind."""
    rgb = torch.rand(1, 3, 64, 64)
    inputs = {
        "RGB": rgb,
        "BGR": rgb[:, [2, 1, 0]],
        "BGRN": torch.cat([rgb[:, [2, 1, 0]], rgb.mean(1, keepdim=True)], dim=1),
    }
    torchvision = mobilenet_v2(weights=None).eval()
    torchvision.load_state_dict(photographs)
    for bands, x in inputs.items():
        network = build("dl", in_channels=len(bands)).eval()
        assert load_encoder(network, photographs, tuple(bands)) == 306
        with torch.inference_mode():
            found, expected = network.backbone.pyramid(x)[0], torchvision.features[:2](rgb)
            stem = network.backbone.body.features[0][0](x)
        if bands != "BGRN":
            assert torch.allclose(found, expected, atol=1e-5)
        else:  # every band adds its share: 3/4 of the three, and of the mean colour through the mean filter
            weight = photographs["features.0.0.weight"]
            mean = torch.nn.functional.conv2d(rgb.mean(1, keepdim=True), weight.mean(1, keepdim=True), None, 2, 1)
            assert torch.allclose(stem, 0.75 * (torchvision.features[0][0](rgb) + mean), atol=1e-5)


def test_timm_s_names_are_understood() -> None:
    torch.manual_seed(0)
    theirs = with_statistics(timm.create_model("mobilenetv2_100", pretrained=False, features_only=True))
    whole = timm.create_model("mobilenetv2_100", pretrained=False)
    missing, _ = whole.load_state_dict(theirs.state_dict(), strict=False)
    assert all(name.startswith(("conv_head", "bn2", "classifier")) for name in missing)
    network = build("dl", in_channels=3, output_stride=16)
    load_encoder(network, {f"module.{name}": value for name, value in whole.state_dict().items()}, ("R", "G", "B"))
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        ours, expected = network.eval().backbone.pyramid(x), theirs(x)
    for one, other in zip(ours[:4], expected[:4], strict=True):  # the last stage is dilated in ours
        assert torch.allclose(one, other, atol=1e-5)


def test_half_precision_and_a_missing_counter_are_no_obstacle(photographs: State) -> None:
    network = build("dl", in_channels=3)
    half = {k: v.half() if v.is_floating_point() else v for k, v in photographs.items() if "num_batches" not in k}
    load_encoder(network, half, ("B", "G", "R"))
    assert network.backbone.body.features[1].conv[1].weight.dtype is torch.float32


def spoil(state: State, how: str) -> State:
    name = "features.3.conv.1.0.weight"
    match how:
        case "missing":
            return {key: value for key, value in state.items() if key != name}
        case "superfluous":
            return state | {"features.3.conv.9.weight": torch.ones(1)}
        case "shape":
            return state | {name: state[name][:1].expand_as(state[name])[..., :1]}
        case "infinite":
            return state | {name: torch.full_like(state[name], torch.inf)}
        case "integers":
            return state | {name: state[name].long()}
        case "stem":
            return state | {"features.0.0.weight": torch.ones(32, 4, 3, 3)}
        case "other network":
            return {f"layer1.{key}": value for key, value in state.items()}
    return {}


@pytest.mark.parametrize(
    "how", ["missing", "superfluous", "shape", "infinite", "integers", "stem", "other network", "nothing"]
)
def test_weights_of_something_else_change_nothing(photographs: State, how: str) -> None:
    network = build("dl", in_channels=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(EncoderMismatchError):
        load_encoder(network, spoil(photographs, how), tuple("BGRN"))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("bands", ["BGN", "BGR", "BGRNN"])
def test_bands_must_hold_the_colours(photographs: State, bands: str) -> None:
    with pytest.raises(EncoderMismatchError, match="bands"):
        load_encoder(build("dl", in_channels=4), photographs, tuple(bands))


def test_a_network_without_a_backbone_takes_none(photographs: State) -> None:
    with torch.device("meta"):
        network = build("unet-64")
    with pytest.raises(EncoderMismatchError, match="no backbone"):
        load_encoder(network, photographs, tuple("BGRN"))
