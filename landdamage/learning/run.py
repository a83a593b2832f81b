"""One training of a recipe: data, network, loss and tiles put together, validated, and published as a checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landdamage.learning.cards import card
from landdamage.learning.encoders import start_encoder
from landdamage.learning.epochs import EpochSource
from landdamage.learning.judge import judge
from landdamage.learning.losses import LOSSES, class_weights
from landdamage.learning.recipes import Folders, Recipe
from landdamage.learning.scenes import Scene, TileSource, count_pixels, fingerprint
from landdamage.networks import build
from landdamage.networks.pspnet import AuxiliaryLoss
from minegis.errors import JobCancelledError, TrainingError
from minegis.training import checkpoint, state
from minegis.training.journal import EVENTS, LOG
from minegis.training.ranks import Ranks
from minegis.training.trainer import BatchAt, Loss, Plan, Progress, Trainer

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "landdamage" / "weights"
SCORE = "miou_foreground"
VALIDATIONS = 10
MOST_THREADS = 8  # that draw tiles
LEAST_BATCH = 2  # pooled branches are normalised over the batch alone


@dataclass(slots=True)
class Run:
    """A recipe being trained; weights and card are rewritten whenever the validation was better than ever.

    Attributes:
        recipe: what to train.
        folders: where its data lies, and where the state of the run does.
        output: folder of weights and card.
        steps: instead of the recipe's.
        time_limit_minutes: end of the schedule by the clock, if that comes first.
        resume: go on from the saved state, if there is one.
        anew: throw away what an earlier run of the same name has left.
        ranks: this process among those that train together.
        events: write TensorBoard events beside the log.
        watch: told the progress after every step; what it raises ends the run.
        should_stop: asked after every step and every scene validated on; True ends the run with its state saved.
    """

    recipe: Recipe
    folders: Folders
    output: Path
    steps: int | None = None
    time_limit_minutes: float | None = None
    resume: bool = False
    anew: bool = False
    ranks: Ranks = field(default_factory=Ranks)
    events: bool = True
    watch: Callable[[Progress], None] | None = None
    should_stop: Callable[[], bool] = lambda: False

    @property
    def weights(self) -> Path:
        """Where the weights go."""
        return self.output / f"{self.recipe.model}.safetensors"

    @property
    def folder(self) -> Path:
        """Where the state and the log of the run lie; ``curves(folder)`` reads the log while it is written."""
        return self.folders.cache / self.recipe.model

    def train(self) -> Path:
        """Train, validate, write; returns the weights' file.

        Raises:
            TrainingError: E-TRN-01, E-TRN-02 out of memory; E-TRN-03, E-TRN-04 the state is damaged or another run's;
                E-TRN-05 it diverged; E-TRN-06, E-TRN-12 the batch does not divide or is too small; E-TRN-08 an earlier
                run's results are in the way; E-TRN-09, E-TRN-10 the data is absent or empty; E-TRN-11 there is no such
                network.
            SampleSetError: the sample set is damaged.
            ModelError: the weights to start from cannot be used.
            JobCancelledError: ``should_stop`` said so; the state is saved.
        """
        recipe, ranks = self.recipe, self.ranks
        with ranks.main_first():
            if ranks.main:
                make_room(self.weights, self.folder, resume=self.resume, anew=self.anew)
            train, validation = load_sets(recipe, self.folders)
        model, facts = make_network(recipe, ranks.device)
        data = {"train": _about(train, recipe), "validation": _about(validation, recipe)}
        steps = self.steps or recipe.steps
        every = recipe.validate_every or (None if self.time_limit_minutes else max(steps // VALIDATIONS, 1))
        plan = Plan(
            steps=steps,
            learning_rate=recipe.learning_rate,
            seed=recipe.seed,
            time_limit_s=self.time_limit_minutes * 60 if self.time_limit_minutes else None,
            report_every=every,
            score=SCORE,
            patience=recipe.patience,
            events=self.events,
        )
        published: dict[str, Any] = {}

        def stop_between_scenes(*_: object) -> None:
            if self.should_stop():
                raise JobCancelledError

        def report(step: int, averaged: nn.Module) -> dict[str, Any]:
            window = recipe.window or recipe.tile
            found = judge(
                averaged,
                validation,
                window,
                recipe.classes,
                sampled=True,
                mirrored=recipe.mirrored,
                each=stop_between_scenes,
            )
            published.update(calibration=found.calibration(), metrics=found.metrics())
            return published["metrics"] | {"ece": published["calibration"]["after"]["ece"]}

        def publish(averaged: nn.Module, figures: Mapping[str, Any]) -> None:
            written = card(
                recipe,
                training={
                    "steps": trainer.step,
                    "planned_steps": steps,
                    "minutes": round(trainer.elapsed / 60, 1),
                    "processes": ranks.count,
                    "device": ranks.device.type,
                },
                data=data,
                validation=published["metrics"],
                calibration=published["calibration"],
                encoder_weights=facts,
            )
            # Half precision halves the file; the engine computes in bfloat16 or float32 and loses nothing by it.
            checkpoint.save(self.weights, averaged.state_dict(), written, dtype=torch.float16)

        trainer = Trainer(
            model,
            make_loss(recipe, train, ranks.device, lambda: trainer.progress),
            make_batches(recipe, train, ranks),
            plan,
            self.folder,
            report=report,
            identity=_identity(recipe, data),
            ranks=ranks,
            watch=self.watch,
            should_stop=self.should_stop,
            on_best=publish,
        )
        if self.resume:
            trainer.resume()
        trainer.run()
        return self.weights


def make_room(weights: Path, folder: Path, *, resume: bool, anew: bool) -> None:
    """Clear what an earlier run left, if that was asked for; refuse to overwrite it otherwise.

    Args:
        weights: the run's result; its card lies beside it.
        folder: of its state and log.
        resume: leave everything, the run goes on.
        anew: throw it away.

    Raises:
        TrainingError: E-TRN-08 there is something, and neither was asked for.
    """
    left = [p for p in (weights, folder / state.STATE) if p.exists()]
    if resume or not left:
        return
    if not anew:
        raise TrainingError("E-TRN-08", value=left[0])
    for path in (weights, checkpoint.card_path(weights), folder / state.STATE, folder / LOG):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / EVENTS, ignore_errors=True)


def load_sets(recipe: Recipe, folders: Folders) -> tuple[list[Scene], list[Scene]]:
    """The training and validation scenes of a recipe.

    Raises:
        TrainingError: E-TRN-09 they are absent.
    """
    try:
        return recipe.load(folders)
    except FileNotFoundError as error:
        raise TrainingError("E-TRN-09", value=error.filename) from error


def load_validation(recipe: Recipe, folders: Folders) -> list[Scene]:
    """The validation scenes of a recipe, without the others where that can be.

    Raises:
        TrainingError: E-TRN-09 they are absent.
    """
    if recipe.load_validation is None:
        return load_sets(recipe, folders)[1]
    return recipe.load_validation(folders)


def make_network(recipe: Recipe, device: torch.device) -> tuple[nn.Module, dict[str, Any]]:
    """The recipe's network with its first weights on a device, and what its encoder started from.

    Raises:
        TrainingError: E-TRN-11 there is no such network (backbone, number of bands, switches).
        ModelError: the weights to start from cannot be used.
    """
    torch.manual_seed(recipe.seed)
    bands, classes = len(recipe.bands), len(recipe.classes)
    try:
        model = build(recipe.network, recipe.backbone, bands, classes, **recipe.switches)
    except (TypeError, ValueError) as error:
        raise TrainingError("E-TRN-11", value=recipe.network, reason=str(error)) from error
    facts = start_encoder(model, recipe.encoder_weights, recipe.bands)
    if recipe.start_from:
        transfer(model, checkpoint.load(WEIGHTS / recipe.start_from)[0])
    return model.to(device).to(memory_format=torch.channels_last), facts  # type: ignore[call-overload]


def make_loss(recipe: Recipe, train: Sequence[Scene], device: torch.device, progress: Callable[[], float]) -> Loss:
    """The recipe's loss, auxiliary heads included."""
    weights = class_weights(count_pixels(train, len(recipe.classes))).to(device) if recipe.weighted_loss else None
    mixture = LOSSES[recipe.loss]
    return AuxiliaryLoss(lambda logits, target: mixture(logits, target, weights, progress()))


def make_batches(recipe: Recipe, train: Sequence[Scene], ranks: Ranks) -> BatchAt:
    """This process's share of the recipe's batches.

    Raises:
        TrainingError: E-TRN-06 a batch does not divide among the processes; E-TRN-12 it is a single tile.
    """
    for stage in recipe.stages:
        ranks.share(stage.batch)
        if stage.batch < LEAST_BATCH:
            raise TrainingError("E-TRN-12", batch=stage.batch, least=LEAST_BATCH)
    # A CPU that trains has no core to spare; a GPU would wait for one thread.
    threads = 1 if ranks.device.type == "cpu" else min(MOST_THREADS, (os.cpu_count() or 1) // ranks.count)
    if recipe.by_class is None:
        source = TileSource(train, recipe.sampling, threads)

        def batch_at(step: int, progress: float) -> tuple[Tensor, Tensor]:
            stage = recipe.stage(progress)
            return source.batch((recipe.seed, step), stage.batch, stage.tile, ranks.share(stage.batch))

        return batch_at
    epochs = EpochSource(
        train, recipe.sampling, recipe.seed, share=recipe.by_class, cell=recipe.stages[0].tile, threads=threads
    )

    def next_of_epoch(step: int, progress: float) -> tuple[Tensor, Tensor]:
        stage = recipe.stage(progress)
        return epochs.batch_at(step, stage.batch, stage.tile, ranks.share(stage.batch))

    return next_of_epoch


def transfer(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take over the weights of the same network with more bands: the stem keeps the first, scaled to the sum of all.

    Raises:
        RuntimeError: another tensor differs in shape or name.
    """
    own = model.state_dict()
    fitted = {
        name: tensor[:, : own[name].shape[1]] * (tensor.shape[1] / own[name].shape[1])
        if name in own and tensor.ndim == 4 and tensor.shape[1] > own[name].shape[1]
        else tensor
        for name, tensor in state.items()
    }
    model.load_state_dict(fitted)


def _about(scenes: Sequence[Scene], recipe: Recipe) -> dict[str, Any]:
    return {
        "scenes": len(scenes),
        "groups": len({scene.group for scene in scenes}),
        "sha256": recipe.data_sha256 or fingerprint(scenes),
    }


def _identity(recipe: Recipe, data: Mapping[str, Any]) -> str:
    """What a state must agree in to be gone on from: the schedule may be changed on the way, these may not."""
    about = (
        recipe.network,
        str(recipe.backbone),
        ",".join(recipe.bands),
        f"{len(recipe.classes)} classes",
        recipe.loss,
    )
    return f"{' '.join(about)}, seed {recipe.seed}, data {data['train']['sha256'][:12]}"
