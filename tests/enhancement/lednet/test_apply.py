"""Pictures of every size and kind through a network; seams, borders, damaged weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from enhancement.lednet.apply import Enhancer, padded_to_multiple
from enhancement.lednet.converted import OpenVinoNetwork
from enhancement.lednet.network import LEDNet
from enhancement.lednet.tiles import tile_side
from minegis.errors import EnhancementError, ModelError
from minegis.training import checkpoint

CARD = {"name": "t", "network": {"name": "lednet", "size": "T", "switches": {}}}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that changes its input."""
    torch.manual_seed(3)
    network = LEDNet("T")
    torch.nn.init.normal_(network.last.weight, std=0.05)
    path = tmp_path_factory.mktemp("lednet") / "t.safetensors"
    checkpoint.save(path, network.state_dict(), CARD)
    return path


@pytest.fixture(scope="module")
def enhancer(weights):
    return Enhancer.load(weights)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 5), (16, 9), (17, 23), (64, 64), (20, 801)])
def test_every_size_comes_back_in_its_size(enhancer, shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    before = picture.copy()
    after = enhancer(picture)
    assert after.shape == picture.shape
    assert after.dtype == np.uint8
    assert (picture == before).all()
    assert (after != picture).any()


@pytest.mark.parametrize("size", [(900, 1000), (770, 40), (1080, 300)])
def test_tiles_of_a_network_that_does_nothing_leave_the_picture(size):
    picture = np.random.default_rng(1).random((2, 3, *size), np.float32)
    calls = []

    def network(batch):
        calls.append(batch.shape)
        return batch

    found = Enhancer(network, guided=False).floats(picture)
    np.testing.assert_allclose(found, picture, atol=1e-6)
    side = tile_side(*size)
    assert len(calls) > 2
    assert set(calls) == {(1, 3, side, side)}
    np.testing.assert_allclose(Enhancer(network).floats(picture), picture, atol=1e-5)


def test_tiles_take_the_side_that_computes_least():
    assert tile_side(540, 960) == 544  # two tiles
    assert tile_side(1080, 1920) == 576  # eight, where 512 would take fifteen
    assert tile_side(2000, 40) in range(512, 641, 8)


def test_tiles_of_unlike_brightness_get_that_of_the_whole():
    """A network that brings every picture it sees to the same mean would make dark and bright tiles alike."""

    def network(batch):
        return batch * 0.3 / batch.mean((1, 2, 3), keepdim=True)

    rng = np.random.default_rng(0)
    picture = rng.uniform(0.5, 1.5, (1, 3, 800, 1600)).astype(np.float32) * 0.02
    picture[..., 800:] *= 3
    wanted = picture * 0.3 / picture.mean()
    alone = Enhancer(network, guided=False).floats(picture)
    guided = Enhancer(network).floats(picture)
    blocks = [x[0, 0].reshape(16, 50, 32, 50).mean((1, 3)) for x in (wanted, alone, guided)]
    assert np.abs(blocks[1] / blocks[0] - 1).max() > 0.5
    assert np.abs(blocks[2] / blocks[0] - 1)[:, np.r_[0:15, 17:32]].max() < 0.05  # but for the step itself


def test_large_frames_are_read_in_tiles_whatever_their_size():
    calls = []

    def network(batch):
        calls.append(tuple(batch.shape[2:]))
        return batch

    picture = np.random.default_rng(2).integers(0, 256, (1080, 7680, 3), np.uint8)
    found = Enhancer(network, tiles=(1024, 1024))(picture)
    assert np.abs(found.astype(int) - picture).max() <= 1
    assert set(calls) == {(1024, 1024), (72, 512)}


def test_padding_reflects_or_repeats():
    padded = padded_to_multiple(np.arange(17 * 3, dtype=np.float32).reshape(1, 17, 3))
    assert padded.shape == (1, 24, 16)
    np.testing.assert_array_equal(padded[0, 17], padded[0, 15])
    np.testing.assert_array_equal(padded[0, :, 5], padded[0, :, 2])


@pytest.mark.parametrize("value", [0, 255])
def test_flat_pictures_stay_finite(enhancer, value):
    after = enhancer(np.full((40, 48, 3), value, np.uint8))
    assert after.shape == (40, 48, 3)


def test_not_a_number_counts_as_black(enhancer):
    picture = np.random.default_rng(0).random((24, 24, 3)).astype(np.float32)
    spoiled = picture.copy()
    spoiled[3, 4], spoiled[5, 6], spoiled[7, 8] = np.nan, np.inf, -np.inf
    picture[3, 4], picture[5, 6], picture[7, 8] = 0, 1, 0
    np.testing.assert_array_equal(enhancer(spoiled), enhancer(picture))
    assert np.isfinite(enhancer(spoiled)).all()


def test_sixteen_bits_and_floats_say_the_same_as_bytes(enhancer):
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    eight = enhancer(picture).astype(float)
    sixteen = enhancer(picture.astype(np.uint16) * 257)
    assert sixteen.dtype == np.uint16
    np.testing.assert_allclose(sixteen / 257, eight, atol=0.51)
    np.testing.assert_allclose(enhancer(picture / np.float32(255)) * 255, eight, atol=0.51)
    twelve = enhancer(picture.astype(np.uint16) * 16, 16 * 255)
    np.testing.assert_allclose(twelve / 16, eight, atol=0.6)


def test_the_same_bits_each_time_and_alone_or_together(enhancer):
    pictures = [np.random.default_rng(k).integers(0, 256, (24, 32, 3), np.uint8) for k in range(3)]
    together = enhancer.frames(pictures)
    assert all((enhancer(a) == enhancer(a)).all() for a in pictures)
    for a, b in zip(pictures, together, strict=True):
        assert np.abs(enhancer(a).astype(int) - b).max() <= 1


def test_half_precision_differs_little(weights, enhancer):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    half = Enhancer.load(weights, bf16=True)(picture).astype(int)
    assert np.abs(half - enhancer(picture)).mean() < 1.5


def test_openvino_says_what_torch_says(weights, enhancer):
    other = Enhancer.load(weights, engine="openvino")
    for shape in ((32, 40, 3), (16, 24, 3), (32, 40, 3)):
        picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert np.abs(other(picture).astype(int) - enhancer(picture)).mean() < 1.5


def test_openvino_knows_lengths_that_enter_the_attention():
    torch.manual_seed(4)
    network = LEDNet("T", length_scaling=True, trained_side=16).eval().requires_grad_(False)
    torch.nn.init.normal_(network.last.weight, std=0.3)
    converted = OpenVinoNetwork(network)
    batch = torch.rand(1, 3, 64, 40)
    with torch.inference_mode():
        wanted = network(batch) - batch
    assert (converted(batch) - batch - wanted).abs().mean() < 0.05 * wanted.abs().mean()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_picture_is_refused(enhancer, shape):
    with pytest.raises(EnhancementError) as refused:
        enhancer(np.zeros(shape, np.uint8))
    assert refused.value.code == "E-ENH-03"


def _fault(path, weights, change):
    state, card = checkpoint.load(weights)
    checkpoint.save(path, *change(dict(state), dict(card)))
    with pytest.raises(ModelError) as refused:
        Enhancer.load(path)
    return refused.value.code


def test_hostile_checkpoints_are_refused(tmp_path, weights):
    path = tmp_path / "x.safetensors"
    assert _fault(path, weights, lambda s, c: (s | {"more": torch.zeros(1)}, c)) == "E-MOD-07"
    assert _fault(path, weights, lambda s, c: ({k: v for k, v in s.items() if k != "last.bias"}, c)) == "E-MOD-07"
    assert _fault(path, weights, lambda s, c: (s | {"last.bias": torch.zeros(4)}, c)) == "E-MOD-07"
    assert _fault(path, weights, lambda s, c: (s | {"last.bias": torch.full((3,), torch.nan)}, c)) == "E-MOD-08"
    assert _fault(path, weights, lambda s, c: (s, c | {"network": {"name": "lednet", "size": "S"}})) == "E-MOD-07"


def test_weights_that_their_card_does_not_name_are_refused(tmp_path, weights):
    path = tmp_path / "y.safetensors"
    path.write_bytes(weights.read_bytes())
    path.with_suffix(".json").write_text(json.dumps({**CARD, "weights_sha256": "0" * 64}))
    with pytest.raises(ModelError) as refused:
        Enhancer.load(path)
    assert refused.value.code == "E-MOD-03"
    path.write_bytes(b"cposix\nsystem\n")
    with pytest.raises(ModelError):
        Enhancer.load(path)


def test_a_network_that_overflows_is_told(weights):
    enhancer = Enhancer(lambda batch: batch * torch.nan, {"name": "broken"})
    with pytest.raises(ModelError) as told:
        enhancer(np.zeros((8, 8, 3), np.uint8))
    assert told.value.code == "E-MOD-08"
