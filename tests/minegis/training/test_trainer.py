"""The trainer on a tiny network: it learns, keeps the best, stops when told, resumes to the same bits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from minegis.errors import JobCancelledError, TrainingError
from minegis.training.trainer import Plan, Progress, Trainer, average, cosine
from tests.fixtures.tiny_training import batch_at, tiny_network


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of a tiny network mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(folder: Path, *, network: nn.Module | None = None, **options: Any) -> Trainer:
    settings = {"steps": 12, "learning_rate": 0.03, "bf16": False, "events": False}
    hooks = {key: options.pop(key) for key in list(options) if key not in Plan.__dataclass_fields__}
    model = network or tiny_network()
    return Trainer(model, nn.functional.cross_entropy, batch_at, Plan(**settings | options), folder, **hooks)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_it_learns_and_logs(tmp_path: Path) -> None:
    trainer(tmp_path, steps=60).run()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 60
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_equal_seeds_give_equal_weights(tmp_path: Path) -> None:
    a, b, c = (trainer(tmp_path / str(k), seed=seed, deterministic=k == 1) for k, seed in enumerate((5, 5, 6)))
    for run in (a, b, c):
        run.run()
    assert same(a.model, b.model)
    assert not same(a.model, c.model)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_run_that_is_over_stays_over(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    first.run()
    second = trainer(tmp_path)
    assert second.resume()
    second.run()
    assert same(first.model, second.model)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 12


def test_no_state_to_resume(tmp_path: Path) -> None:
    assert trainer(tmp_path).resume() is False


def test_another_runs_state_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path, identity="dl seed 1", steps=1).run()
    with pytest.raises(TrainingError, match="dl seed 1") as refused:
        trainer(tmp_path, identity="dl seed 2").resume()
    assert refused.value.code == "E-TRN-04"


class Trap:
    """Runs code when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("harm", ["cut", "noise", "trap", "no dict", "other network", "no optimiser"])
def test_damaged_state_is_refused(tmp_path: Path, harm: str) -> None:
    run = trainer(tmp_path, steps=1)
    run.run()
    file, mark = tmp_path / "state.pt", tmp_path / "executed"
    state = torch.load(file, weights_only=True)
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif harm == "noise":
        file.write_bytes(b"\x80\x02" + b"noise" * 50)
    elif harm == "trap":
        torch.save({**state, "step": Trap(mark)}, file)
    elif harm == "no dict":
        torch.save([1, 2], file)
    elif harm == "other network":
        torch.save({**state, "model": nn.Linear(2, 2).state_dict()}, file)
    else:
        torch.save({**state, "optimiser": {}}, file)
    with pytest.raises(TrainingError, match="E-TRN-03"):
        trainer(tmp_path).resume()
    assert not mark.exists()


def test_clock_ends_the_schedule(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=10**6, time_limit_s=0.2)
    run.run()
    assert 0 < run.step < 10**6
    assert run.progress == 1.0


def test_report_sees_the_average_and_is_logged(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=3)
    run.report = lambda step, network: {"averaged": network is run.ema and not network.training}
    run.run()
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last == {"step": 3, "averaged": True}


def test_best_weights_are_kept_and_patience_ends_the_run(tmp_path: Path) -> None:
    scores = dict(zip(range(2, 13, 2), [0.1, 0.4, 0.3, 0.39, 0.9, 0.9], strict=True))
    at_four: dict[str, Tensor] = {}
    told: list[Mapping[str, Any]] = []

    def report(step: int, network: nn.Module) -> dict[str, float]:
        if step == 4:
            at_four.update({name: value.clone() for name, value in network.state_dict().items()})
        return {"miou": scores[step], "other": 1.0}

    run = trainer(
        tmp_path,
        report=report,
        report_every=2,
        score="miou",
        patience=2,
        on_best=lambda network, figures: told.append(figures),
    )
    run.run()
    assert run.step == 8  # two reports after the best one
    assert run.best is not None
    assert (run.best.step, run.best.score) == (4, 0.4)
    assert all(torch.equal(run.best.weights[name], at_four[name]) for name in at_four)
    assert [figures["miou"] for figures in told] == [0.1, 0.4]
    again = trainer(tmp_path, report=report, score="miou", patience=2)
    assert again.resume()
    again.run()
    assert again.step == 8
    assert again.best is not None
    assert all(torch.equal(again.best.weights[name], at_four[name]) for name in at_four)


def test_a_score_nobody_measures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="report"):
        trainer(tmp_path, score="miou")


def test_stop_takes_effect_within_one_step_and_loses_nothing(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run()
    asked: list[int] = []
    run = trainer(tmp_path / "parts", should_stop=lambda: len(asked) == 5, watch=lambda p: asked.append(p.step))
    with pytest.raises(JobCancelledError):
        run.run()
    assert run.step == 6
    second = trainer(tmp_path / "parts")
    assert second.resume()
    assert second.step == 6
    second.run()
    assert same(whole.model, second.model)
    assert same(whole.ema, second.ema)


def test_a_run_stopped_in_its_last_step_is_still_judged(tmp_path: Path) -> None:
    steps: list[int] = []
    judged: list[int] = []

    def report(step: int, network: nn.Module) -> dict[str, float]:
        judged.append(step)
        return {"score": 1.0}

    given = {"report": report, "report_every": 4, "score": "score"}
    run = trainer(
        tmp_path, **given, watch=lambda p: steps.append(p.step), should_stop=lambda: len(steps) == run.plan.steps - 1
    )
    with pytest.raises(JobCancelledError):
        run.run()
    last = run.plan.steps
    assert run.step == last
    assert last not in judged
    second = trainer(tmp_path, **given)
    assert second.resume()
    second.run()
    assert judged[-1] == last


def test_a_run_stopped_while_it_is_judged_is_judged_when_it_goes_on(tmp_path: Path) -> None:
    calls: list[int] = []

    def report(step: int, network: nn.Module) -> dict[str, float]:
        calls.append(step)
        if calls == [4, 8]:
            raise JobCancelledError
        return {"score": float(step == 8)}

    whole = trainer(
        tmp_path / "whole", report=lambda step, _: {"score": float(step == 8)}, report_every=4, score="score"
    )
    whole.run()
    first = trainer(tmp_path / "parts", report=report, report_every=4, score="score")
    with pytest.raises(JobCancelledError):
        first.run()
    second = trainer(tmp_path / "parts", report=report, report_every=4, score="score")
    assert second.resume()
    second.run()
    assert calls == [4, 8, 8, 12]
    assert whole.best is not None
    assert second.best is not None
    assert (second.best.step, second.best.score) == (whole.best.step, whole.best.score) == (8, 1.0)
    assert same(whole.model, second.model)


def test_watcher_sees_the_time_left(tmp_path: Path) -> None:
    seen: list[Progress] = []
    trainer(tmp_path, watch=seen.append).run()
    assert [p.step for p in seen] == list(range(1, 13))
    assert [p.share for p in seen] == pytest.approx([k / 12 for k in range(1, 13)])
    assert seen[2].left_s == pytest.approx(3 * seen[2].elapsed_s)
    assert seen[-1].left_s == 0


def test_what_the_watcher_raises_ends_the_run(tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        raise JobCancelledError

    run = trainer(tmp_path, watch=watch)
    with pytest.raises(JobCancelledError):
        run.run()
    assert run.step == 1


def test_a_passing_fault_is_rewound(tmp_path: Path) -> None:
    """Half-precision kernels were seen to yield NaN once and the right value on the next try."""
    whole = trainer(tmp_path / "whole")
    whole.run()
    run = trainer(tmp_path / "faulty")
    calls = []

    def faulty(outputs: Tensor, targets: Tensor) -> Tensor:
        calls.append(1)
        return nn.functional.cross_entropy(outputs, targets) * (float("nan") if len(calls) == 6 else 1.0)

    run.loss = faulty
    run.run()
    assert len(calls) == 12 + 6
    assert same(whole.model, run.model)
    assert same(whole.ema, run.ema)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.loss = lambda outputs, targets: outputs.sum() * float("nan")
    with pytest.raises(TrainingError, match="E-TRN-05"):
        run.run()


def test_faults_that_pass_do_not_stop_a_run_that_gets_on(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=12)
    exact, failed = run.loss, set()

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if run.step % 2 and run.step not in failed:  # six steps fail once each
            failed.add(run.step)
            return outputs.sum() * float("nan")
        return exact(outputs, targets)

    run.loss = loss
    run.run()
    assert (run.step, len(failed)) == (12, 6)


def test_bfloat16_autocast_gives_the_loss_float32(tmp_path: Path) -> None:
    seen = []
    run = trainer(tmp_path, steps=1, bf16=True)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(outputs.dtype)
        return nn.functional.cross_entropy(outputs, targets)

    run.loss = loss
    run.run()
    assert seen == [torch.float32]


class TwoHeads(nn.Module):
    """An auxiliary head beside the main one while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.body = tiny_network()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor] | Tensor:
        out = self.body(x)
        return (out, out) if self.training else out


def test_auxiliary_heads_reach_the_loss_in_float32(tmp_path: Path) -> None:
    seen = []
    run = trainer(tmp_path, network=TwoHeads(), steps=1, bf16=True)

    def loss(outputs: tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        seen.extend(output.dtype for output in outputs)
        return nn.functional.cross_entropy(outputs[0], targets)

    run.loss = loss
    run.run()
    assert seen == [torch.float32] * 2


class Greedy(nn.Module):
    """Has memory for so many items and no more."""

    def __init__(self, most: int, error: type[Exception] = torch.OutOfMemoryError, text: str = "no memory") -> None:
        super().__init__()
        self.body, self.most, self.error, self.text = tiny_network(), most, error, text

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] > self.most:
            raise self.error(self.text)
        return self.body(x)


@pytest.mark.parametrize(("most", "fits"), [(3, 2), (1, 1), (2, 2)])
def test_out_of_memory_names_the_batch_that_fits(tmp_path: Path, most: int, fits: int) -> None:
    with pytest.raises(TrainingError) as failed:
        trainer(tmp_path, network=Greedy(most)).run()
    assert failed.value.code == "E-TRN-01"
    assert (failed.value.values["batch"], failed.value.values["fits"]) == (4, fits)
    assert failed.value.values["shape"] == "1×8×8"


def test_out_of_memory_with_any_batch_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="E-TRN-02"):
        trainer(tmp_path, network=Greedy(0)).run()


def test_memory_a_cpu_refuses_counts_too(tmp_path: Path) -> None:
    text = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
    with pytest.raises(TrainingError, match="E-TRN-01"):
        trainer(tmp_path, network=Greedy(2, RuntimeError, text)).run()


def test_other_faults_of_the_network_are_not_taken_for_want_of_memory(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        trainer(tmp_path, network=Greedy(2, RuntimeError, "size mismatch")).run()


def test_schedule_rises_then_falls() -> None:
    assert cosine(0.025, 0.05) == pytest.approx(0.5)
    assert cosine(0.05, 0.05) == pytest.approx(1.0)
    assert cosine(0.525, 0.05) == pytest.approx(0.5)
    assert cosine(1.0, 0.05) == pytest.approx(0.0)


def test_average_is_exponential() -> None:
    a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    expected = 0.9 * a.weight + 0.1 * b.weight
    average(a, b, 0.9)
    assert torch.allclose(a.weight, expected)
