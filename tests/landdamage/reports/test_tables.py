import dataclasses
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from landdamage.accounting.statement import statement
from landdamage.accounting.states import Flow, State
from landdamage.reports import sums
from landdamage.reports.balances import shares
from landdamage.reports.table import area, percent, printed
from landdamage.reports.tables import build
from tests.fixtures.reports import cm2, edition_data, worked_example

STATES = ("prev_state", "obs_state", "new_state")
WORKED = {
    "excavation": "1842.10 215.34 12.50 0.00 18.62 3.15 9.05 33.10 2024.12 11.26 52.40",
    "occupation": "2635.75 288.47 8.60 4.20 27.35 0.00 33.10 9.05 2933.72 19.04 88.15",
    "subsidence": "31.20 0.00 0.00 0.00 4.04 0.00 0.00 0.00 27.16 0.88 0.00",
    "total": "4509.05 503.81 21.10 4.20 50.01 3.15 42.15 42.15 4985.00 31.18 140.55",
}


@pytest.fixture(scope="module")
def tables():
    return build(worked_example())


def test_the_worked_example_to_the_last_digit(tables):
    by_class = tables["T2"]
    for key, line in WORKED.items():
        assert [cell.text for cell in by_class.row(key).cells[2:-1]] == line.split()
    new = {code: by_class.cell(by_class.row(code), "new").text for code in ("open_pit", "pit_water", "stockpile")}
    assert new == {"open_pit": "198.72", "pit_water": "16.62", "stockpile": "179.25"}
    by_region = tables["T1"]
    assert by_region.cell(by_region.total, "annual_rate").text == "9.93"
    assert by_region.cell(by_region.total, "cumulative_rate").text == "11.52"
    restored = tables["T6"]
    assert [restored.cell(restored.row(key), "area").text for key in ("restored_dump", "restored_other", "total")] == [
        "19.80", "1.43", "50.01",
    ]  # fmt: skip
    assert [c.text for c in shares([cm2(x) for x in ("215.34", "288.47", "0.00")])] == ["42.74", "57.26", "0.00"]
    assert [c.text for c in shares([cm2(x) for x in ("18.62", "27.35", "4.04")])] == ["37.23", "54.69", "8.08"]


def test_mines_count_where_most_of_their_ground_lies():
    data = worked_example()
    data = dataclasses.replace(data, mines=[dataclasses.replace(mine, region_code="650000") for mine in data.mines])
    table = build(data)["T1"]
    assert [table.cell(row, "mines").value for row in table.rows] == [1, 1, 2]


def test_every_table_has_the_same_totals(tables):
    for key in ("opening", "new", "restored", "closing"):
        printed_totals = {tables[code].cell(tables[code].total, key).value for code in ("T1", "T2", "T3", "T4")}
        assert len(printed_totals) == 1
    assert tables["T5"].cell(tables["T5"].row("open_pit"), "total").text == "1718.53"
    assert [row.cells[3].text for row in tables["T7"].rows].count("治理") == 5


def test_the_published_totals_reproduce_in_shares_and_formats():
    reference = json.loads((Path(__file__).parent / "ref_tianshan_2021_2023.json").read_text(encoding="utf-8"))
    exact = {}
    for what in ("new", "restored"):
        kinds = {kind: int(Decimal(row["km2"]) * 10**10) for kind, row in reference[what].items()}
        exact[what] = kinds["total"]
        parts = [kinds[kind] for kind in ("excavation", "occupation", "subsidence")]
        assert sum(parts) == kinds["total"]
        for kind, value in kinds.items():
            assert [area(value, unit).text for unit in ("km2", "hm2", "mu")] == [
                reference[what][kind][unit] for unit in ("km2", "hm2", "mu")
            ]
        found = [cell.text for cell in shares(parts)]
        assert found == [reference[what][kind]["share"] for kind in ("excavation", "occupation", "subsidence")]
    assert percent(exact["restored"], exact["new"]).text == reference["annual_rate"]


def test_little_nothing_and_unknown_print_differently():
    assert printed(0, "hm2", 3).text == "<0.01"
    assert printed(0, "hm2", -3).text == ">-0.01"
    assert printed(0, "hm2", 0).text == "0.00"
    assert percent(5, 0).text == "—"
    assert percent(5, 0).value is None
    assert area(2, "mu").text == "<0.1"


def test_printed_parts_add_up_whatever_the_areas():
    random = np.random.default_rng(7)
    states = [State.VEGETATION, State.OTHER, State.OPEN_PIT, State.PIT_WATER, State.STOCKPILE, State.LIVING_AREA]
    flows = {(False, True): Flow.NEW, (True, False): Flow.PENDING, (False, False): Flow.PLAIN}
    histories = []
    for _ in range(200):
        prev, seen = (states[i] for i in random.integers(0, len(states), 2))
        pair = (prev >= 10, seen >= 10)
        same = State.OPEN_PIT, State.PIT_WATER
        flow = flows.get(pair, Flow.PERSIST if (prev in same) == (seen in same) else Flow.RECLASS)
        now = prev if flow is Flow.PENDING else seen
        histories.append((prev, seen, flow, now, int(random.integers(1, 3 * 10**7))))
    data = edition_data(histories)
    exact = sum(area for prev, *_, area in histories if prev >= 10)
    for language in ("zh", "en"):
        tables = build(data, language)
        for code in ("T1", "T2", "T3", "T4", "T5", "T6"):
            table = tables[code]
            top = [r for r in table.rows if r.level == "subtotal"] or list(table.parts())
            for i, column in enumerate(table.columns):
                if column.unit in ("hm2", "mu"):
                    assert sum(row.cells[i].value for row in top) == table.total.cells[i].value
                    assert sum(row.cells[i].value for row in table.parts()) == table.total.cells[i].value
                    for row in table.rows:  # never further than one printed unit from the truth
                        cell = row.cells[i]
                        step = Fraction(1, 100) if column.unit == "hm2" else Fraction(1, 10)
                        size = 10**8 if column.unit == "hm2" else Fraction(20_000_000, 3)
                        assert abs(Fraction(cell.value) - Fraction(cell.exact) / size) < step
        share = [tables["T2"].cell(r, "share").value for r in tables["T2"].parts()]
        assert sum(share) == 100
        total = tables["T2"].cell(tables["T2"].total, "opening")
        assert total.exact == exact
        assert total.value == round(Decimal(exact) / 10**8, 2)


def test_an_edition_of_nothing_has_tables_too():
    tables = build(edition_data([(State.UNKNOWN, State.NOOBS, Flow.CARRIED, State.UNKNOWN, 10**8)]), "en")
    assert tables["T1"].cell(tables["T1"].total, "annual_rate").text == "—"
    assert tables["T1"].cell(tables["T1"].total, "coverage").text == "0.00"
    assert tables["T1"].rows[0].cells[1].text.endswith("※")
    assert tables["T7"].rows == ()
    assert {table.title for table in tables.values()} == {table.title_en for table in tables.values()}


def test_sums_agree_with_the_statement_of_the_account():
    data = worked_example()
    states = {name: data.cells[name].map(lambda code: int(State.of(code))) for name in STATES}
    cells = data.cells.assign(**states)
    rows = sums.compact(data)
    for column in ("mine_id", "region_code"):
        account = statement(cells, by=column)
        ours = sums.by(rows, column)
        for group, found in account.total.iterrows():
            for key in ("opening", "new", "first_seen", "adj_plus", "restored", "adj_minus", "exit", "closing",
                        "moved_in", "moved_out", "pending", "carried", "redamaged"):  # fmt: skip
                assert ours[group][key] == int(found[key]), (group, key)
            assert ours[group]["restored_stock"] == int(found["restored_closing"])


def test_quality_tells_thresholds_accuracy_and_bias():
    results = {
        "mixed_sensor": ["gsd", "season"],
        "bias": {"controls": 24, "false_new_m2": 12_345.6, "false_new_half_m2": 4_000.0, "false_released_m2": 0.0,
                 "false_released_half_m2": 0.0},
    }  # fmt: skip
    params = {"gsd_before": 8.0, "gsd_now": 2.0, "rmse_m": 3.0, "min_area_m2": None, "epsilon_m": None}
    data = worked_example(results=results, params=params)
    kinds = {"exc": {"new_cm2": [cm2("215.00"), cm2("204.10"), cm2("231.00"), cm2("215.34")]}}
    accuracy = {"agreed": 410, "overall": [0.943, 0.918, 0.961], "kappa": 0.91, "kinds": kinds}
    table = build(dataclasses.replace(data, accuracy=accuracy), "en")["T9"]
    told = {row.key: (row.cells[2].text, row.cells[3].text) for row in table.rows}
    assert told["epsilon_m"][0] == "16.00 m"
    assert told["min_area_m2"][0] == "1600.00 m²"
    assert told["overall"] == ("94.30 (91.80 – 96.10) %", "410 check points")
    assert told["excavation.new_cm2"] == ("215.00 (204.10 – 231.00) hm²", "mapped 215.34 hm²")
    assert told["mixed_sensor"] == ("yes", "pixel size, season")
    assert told["bias.false_new"] == ("1.23 ± 0.40 hm²", "24 control polygons")


def test_a_bias_that_nothing_measured_is_a_dash():
    bias = {"controls": 0} | dict.fromkeys(
        ("false_new_m2", "false_new_half_m2", "false_released_m2", "false_released_half_m2")
    )
    table = build(worked_example(results={"mixed_sensor": ["satellite"], "bias": bias}), "en")["T9"]
    assert table.cell(table.row("bias.false_new"), "value").text == "— ± — hm²"


def test_new_damage_after_a_gap_is_noted():
    data = worked_example()
    assert not any("间隔" in note for note in build(data)["T1"].notes)
    data.cells.loc[(data.cells["flow"] == "new") & (data.cells["new_state"] == "pit_water"), "since_year"] = 2020
    assert any("16.62 hm²" in note for note in build(data)["T1"].notes)
