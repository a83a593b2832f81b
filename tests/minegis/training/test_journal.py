"""Log and curves: readable at any time, through resumes and half-written lines; TensorBoard gets the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minegis.training.journal import Journal, curves, numbers


def test_numbers_are_flattened_and_nothing_else_is() -> None:
    entry = {
        "step": 3,
        "loss": 1,
        "flag": True,
        "text": "a",
        "none": None,
        "nan": float("nan"),
        "per": {"pit": {"iou": 0.5}},
    }
    assert numbers(entry) == {"loss": 1.0, "per/pit/iou": 0.5}


def test_curves_of_a_run_that_is_being_written(tmp_path: Path) -> None:
    assert curves(tmp_path / "nowhere") == {}
    journal = Journal(tmp_path, events=False)
    for step in (1, 2, 3):
        journal.write({"step": step, "loss": 4.0 - step})
    journal.write({"step": 3, "miou": 0.5})
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "lo')
    assert curves(tmp_path) == {"loss": [(1, 3.0), (2, 2.0), (3, 1.0)], "miou": [(3, 0.5)]}


def test_what_a_resumed_run_repeats_supersedes(tmp_path: Path) -> None:
    journal = Journal(tmp_path, events=False)
    for step, loss in ((1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0), (3, 30.0)):
        journal.write({"step": step, "loss": loss})
    assert curves(tmp_path)["loss"] == [(1, 1.0), (2, 20.0), (3, 30.0)]


@pytest.mark.parametrize("line", ["[]", "3", '{"loss": 1}', '{"step": "x", "loss": 1}'])
def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "log.jsonl").write_text(line + '\n{"step": 1, "loss": 2}\n')
    assert curves(tmp_path) == {"loss": [(1, 2.0)]}


def test_long_curves_are_thinned_to_their_ends(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("".join(json.dumps({"step": k, "loss": k}) + "\n" for k in range(1, 501)))
    loss = curves(tmp_path, most=20)["loss"]
    assert len(loss) == 20
    assert (loss[0], loss[-1]) == ((1, 1.0), (500, 500.0))
    assert [step for step, _ in loss] == sorted({step for step, _ in loss})


def test_tensorboard_reads_the_same_numbers(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(tmp_path, events=True)
    journal.write({"step": 1, "loss": 0.5, "per_class": {"open_pit": {"iou": 0.25}}})
    journal.write({"step": 2, "loss": 0.25})
    journal.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert events.Scalars("per_class/open_pit/iou")[0].value == 0.25
