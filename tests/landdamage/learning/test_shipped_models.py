"""The weights in the repository: intact, small, and as good as their cards say on a district they never saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from landdamage.learning import evaluate, simulated
from landdamage.learning.recipes import RECIPES
from landdamage.networks import build

# A model trained in two parts is what its last recipe says.
SHIPPED = {recipe.model: recipe for recipe in RECIPES.values()}


@pytest.mark.parametrize("recipe", SHIPPED.values(), ids=SHIPPED.keys())
def test_weights_are_those_of_card_and_recipe(recipe) -> None:  # type: ignore[no-untyped-def]
    weights = evaluate.WEIGHTS / f"{recipe.model}.safetensors"
    network, card = evaluate.load_network(weights)
    assert weights.stat().st_size <= 20e6
    assert (card["bands"], card["optional_bands"]) == (list(recipe.bands), list(recipe.optional_bands))
    assert card["gsd_range_m"] == list(recipe.gsd_range_m)
    assert (card["tile"], card["limits"]) == (recipe.tile, recipe.limits)
    assert (card.get("window", card["tile"]), card.get("mirrored", False)) == (
        recipe.window or recipe.tile,
        recipe.mirrored,
    )
    assert not network.training
    assert network.state_dict().keys() == build(recipe.network, recipe.backbone, len(recipe.bands)).state_dict().keys()


def test_two_metre_model_maps_an_unseen_district(tmp_path: Path) -> None:
    network, card = evaluate.load_network(evaluate.WEIGHTS / "se-cot-dl-mnv2-2m.safetensors")
    scenes = simulated.load_scenes([9500], tmp_path, years=(2022,), size=1024)
    result = evaluate.evaluate(network, card, scenes)
    assert result["miou_foreground"] > 0.8
    assert abs(result["area_error"]["excavation"]) < 0.1
    assert abs(result["area_error"]["occupation"]) < 0.1
