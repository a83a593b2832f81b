"""The learned distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from enhancement.haze_simulation import scene
from enhancement.lpips import BACKBONES, Lpips
from minegis.errors import EnhancementError


@pytest.fixture(scope="module")
def lpips_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """SqueezeNet with seeded weights and heads of ones: enough to prove the formula."""
    folder = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(0)
    torch.save({f"features.{k}": v for k, v in BACKBONES["squeeze"][0]().state_dict().items()}, folder / "seeded.pth")
    widths = (64, 128, 256, 384, 384, 512, 512)
    torch.save({f"lin{k}.model.1.weight": torch.ones(1, n, 1, 1) for k, n in enumerate(widths)}, folder / "heads.pth")
    return folder / "seeded.pth", folder / "heads.pth"


def test_lpips_is_zero_for_equal_pictures_and_names_its_weights(lpips_files: tuple[Path, Path]) -> None:
    measure = Lpips("squeeze", *lpips_files)
    rng = np.random.default_rng(1)
    a, b = rng.random((48, 64, 3)), rng.random((48, 64, 3))
    assert measure(a, a).value == pytest.approx(0, abs=1e-6)
    found = measure(a, b)
    assert found.value == pytest.approx(measure(b, a).value)
    assert found.value > 0.01
    assert (found.backbone, found.weights) == ("squeeze", "seeded.pth")


def test_lpips_refuses_other_files(lpips_files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    for weights, heads in ((tmp_path / "text.pth", lpips_files[1]), (lpips_files[1], lpips_files[1])):
        with pytest.raises(EnhancementError, match="E-ENH-06"):
            Lpips("squeeze", weights, heads)
    with pytest.raises(EnhancementError, match="E-ENH-02"):
        Lpips("resnet", *lpips_files)


@pytest.mark.data
def test_lpips_with_the_published_heads(shared_data: Path) -> None:
    folder = shared_data / "enhancement"
    measure = Lpips(
        "squeeze", folder / "weights_squeezenet11" / "squeezenet1_1_half.pth", folder / "lpips_heads" / "squeeze.pth"
    )
    hazy = scene(1, "dense", height=120, width=160)
    light = scene(1, "light", height=120, width=160)
    assert 0 < measure(light.hazy / 255, light.clear).value < measure(hazy.hazy / 255, hazy.clear).value


@pytest.mark.parametrize(("backbone", "parameters"), [("squeeze", 722_496), ("alex", 2_469_696), ("vgg", 14_714_688)])
def test_backbones_are_the_known_networks(backbone: str, parameters: int) -> None:
    with torch.device("meta"):
        network = BACKBONES[backbone][0]()
    assert sum(p.numel() for p in network.parameters()) == parameters
