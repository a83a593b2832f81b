"""Our encoders against the libraries whose parameter names they share: equal weights, equal maps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from landdamage.networks import _torchvision  # noqa: F401 - must precede smp
from landdamage.networks.backbones import Backbone

# isort: split
import segmentation_models_pytorch as smp
from torchvision.models import squeezenet1_1, vgg16

ENCODERS = {"mobilenetv2": "mobilenet_v2", "resnet50": "resnet50", "resnet101": "resnet101"}


def with_statistics(body: nn.Module) -> nn.Module:
    """Norms as training leaves them, none of which is the identity."""
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return body.eval()


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("mobilenetv2", 8),
        ("mobilenetv2", 16),
        ("mobilenetv2", 32),
        ("resnet50", 8),
        ("resnet50", 32),
        ("resnet101", 16),
    ],
)
def test_maps_are_those_of_the_library(name: str, stride: int) -> None:
    torch.manual_seed(0)
    theirs = smp.encoders.get_encoder(ENCODERS[name], weights=None)
    if stride < 32:
        theirs.make_dilated(stride)
    ours = Backbone(name, 3, stride)
    with_statistics(theirs)
    known = set(ours.body.state_dict())
    left = set(theirs.state_dict()) - known
    assert all(key.startswith("features.18.") for key in left)  # MobileNetV2's convolution for the classifier
    ours.body.load_state_dict({key: value for key, value in theirs.state_dict().items() if key in known})
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        maps, expected = ours.eval().pyramid(x), theirs(x)[1:]
    assert [m.shape[1] for m in maps] == list(ours.channels)
    if name == "mobilenetv2":
        maps, expected = maps[:-1], expected[:-1]  # theirs ends behind the classifier's convolution
    for one, other in zip(maps, expected, strict=True):
        assert torch.equal(one, other)


def shifted(x: Tensor) -> Tensor:
    """What torchvision's unpadded layers must be given to look where ours do: 1 + 2 + 4 + 8 pixels to the left."""
    return nn.functional.pad(x, (15, 0, 15, 0))


def test_squeezenet_sees_what_torchvisions_sees() -> None:
    torch.manual_seed(0)
    theirs, ours = squeezenet1_1(weights=None).eval(), Backbone("squeezenet", 3, 16).eval()
    ours.body.features.load_state_dict(theirs.features.state_dict())
    x = torch.randn(1, 3, 256, 256)
    with torch.inference_mode():
        found, expected = ours(x)[1], theirs.features(shifted(x))
    assert found.shape[2:] == (16, 16)
    # Away from the rim, where padding with zeros stands against padding with pixels.
    assert torch.allclose(found[..., 6:-6, 6:-6], expected[..., 6:10, 6:10], atol=1e-5)


def test_vgg_has_torchvisions_names() -> None:
    with torch.device("meta"):
        theirs, ours = vgg16(weights=None), Backbone("vgg16", 3, 32)
    shapes = {key: value.shape for key, value in theirs.features.state_dict().items()}
    assert {key: value.shape for key, value in ours.body.features.state_dict().items()} == shapes


@pytest.mark.data
def test_published_squeezenet_weights_load(shared_data: Path) -> None:
    file = shared_data / "enhancement" / "weights_squeezenet11" / "squeezenet1_1_half.pth"
    state = torch.load(file, weights_only=True)
    ours = Backbone("squeezenet", 3, 16).eval()
    left = ours.body.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    assert (left.missing_keys, sorted(left.unexpected_keys)) == ([], ["classifier.1.bias", "classifier.1.weight"])
    with torch.inference_mode():
        assert ours(torch.rand(1, 3, 64, 64))[1].std() > 0.01


def test_shipped_weights_keep_their_names() -> None:
    """A renamed parameter would make every model in the field unreadable."""
    from landdamage.interpretation.models import available
    from landdamage.networks import build
    from minegis.training import checkpoint

    for card in available().values():
        with torch.device("meta"):
            spec = {key: value for key, value in card.network.items() if key != "switches"}
            network = build(**spec, **card.network["switches"])
        assert set(checkpoint.load(card.path)[0]) == set(network.state_dict())
