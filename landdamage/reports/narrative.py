# ruff: noqa: E501 - sentences stay whole, and Chinese letters count twice
"""The sentences of the report, made from printed table cells so that text and tables never differ."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from landdamage import taxonomy
from landdamage.accounting.states import KINDS
from landdamage.reports.balances import shares
from landdamage.reports.data import EditionData
from landdamage.reports.listings import rules_used
from landdamage.reports.table import NOTHING, Table, area
from landdamage.reports.words import Language, kind_name, pick

Tables = Mapping[str, Table]


def _total(tables: Tables, key: str, code: str = "T1") -> str:
    return tables[code].cell(tables[code].total, key).text


def _hm2(exact: int) -> str:
    return area(exact).text


def _exact(tables: Tables, key: str) -> int:
    return int(tables["T1"].cell(tables["T1"].total, key).exact or 0)


def net(tables: Tables) -> str:
    """Net change: new minus restored, as the printed totals say."""
    new, back = (tables["T1"].cell(tables["T1"].total, key).value for key in ("new", "restored"))
    assert isinstance(new, Decimal)
    assert isinstance(back, Decimal)
    return f"{new - back:+.2f}"


def key_figures(tables: Tables, language: Language) -> tuple[tuple[str, str, str], ...]:
    """Stock, new, restored, net change and the two rates."""
    names = (
        (("年末损毁存量", "Closing stock"), _total(tables, "closing"), "hm²"),
        (("本年新增", "New"), _total(tables, "new"), "hm²"),
        (("本年治理", "Restored"), _total(tables, "restored"), "hm²"),
        (("净增(新增 − 治理)", "Net (new − restored)"), net(tables), "hm²"),
        (("年度治理率", "Annual rate"), _total(tables, "annual_rate"), "%"),
        (("累计修复率", "Cumulative rate"), _total(tables, "cumulative_rate"), "%"),
    )
    return tuple((pick(name, language), value, unit if value != NOTHING else "") for name, value, unit in names)


def summary(data: EditionData, tables: Tables, language: Language) -> list[str]:
    """Three sentences: new, restored, stock."""
    year = data.edition.year
    new = _exact(tables, "new")
    by_kind = [int(tables["T2"].cell(tables["T2"].row(kind), "new").exact or 0) for kind in KINDS]
    share: dict[str, object] = dict(zip(KINDS, (cell.text for cell in shares(by_kind)), strict=True))
    values: dict[str, object] = {
        "year": year,
        "new": _total(tables, "new"),
        "mu": area(new, "mu").text,
        "restored": _total(tables, "restored"),
        "rate": _total(tables, "annual_rate"),
        "stock": _total(tables, "closing"),
        "carried": _total(tables, "carried"),
        "pending": _total(tables, "pending"),
    }
    values |= share
    if language == "zh":
        split = "，其中挖损占 {excavation}%、压占占 {occupation}%、塌陷占 {subsidence}%" if new else ""
        rate = "，年度治理率 {rate}%" if values["rate"] != NOTHING else ""
        lines = [
            "{year} 年监测区新增矿山土地损毁 {new} 公顷(合 {mu} 亩)" + split + "。",
            "全年完成治理 {restored} 公顷" + rate + "。",
            "年末损毁存量 {stock} 公顷，其中 {carried} 公顷因云雪等未观测，沿用上期结果；{pending} 公顷影像上已不见损毁，待核定。",
        ]
    else:
        split = ", of it excavation {excavation} %, occupation {occupation} %, subsidence {subsidence} %" if new else ""
        rate = ", an annual restoration rate of {rate} %" if values["rate"] != NOTHING else ""
        lines = [
            "In {year} new mine land damage in the monitored area was {new} hm² ({mu} mu)" + split + ".",
            "Restoration was completed on {restored} hm²" + rate + ".",
            "The stock of damage at the end of the year is {stock} hm²; {carried} hm² of it was not observed because of "
            "cloud or snow and is carried over, {pending} hm² no longer looks damaged and awaits a decision.",
        ]
    return [line.format(**values) for line in lines]


def coverage_warning(data: EditionData, tables: Tables, language: Language) -> str | None:
    """A warning naming the regions observed on less than 95 % of their monitored ground; None where all are."""
    table = tables["T1"]
    poor = [row for row in table.parts() if row.cells[table.index["region"]].text.endswith("※")]
    if not poor:
        return None
    names = "、" if language == "zh" else ", "
    listed = names.join(
        f"{table.cell(row, 'region').text.rstrip(' ※')} ({table.cell(row, 'coverage').text} %)" for row in poor[:12]
    )
    more = "" if len(poor) <= 12 else pick((f" 等 {len(poor)} 个", f" and others, {len(poor)} in all"), language)
    zh = f"以下行政区观测覆盖率低于 95%，数据不完整：{listed}{more}。"
    en = f"Incomplete: these regions were observed on less than 95 % of their monitored ground: {listed}{more}."
    return pick((zh, en), language)


def beside_new(tables: Tables, language: Language) -> str:
    """First seen and omissions, which are not new damage."""
    first, missed = _total(tables, "first_seen"), _total(tables, "adj_plus")
    zh = f"另有首次观测 {first} 公顷(以往从未观测的地面)、补录 {missed} 公顷(以往漏判)，单列，不计入新增。"
    en = (
        f"Besides, {first} hm² of damage was seen on ground never observed before and {missed} hm² had been missed in "
        "earlier years; both are shown apart and do not count as new."
    )
    return pick((zh, en), language)


def methods(data: EditionData, language: Language) -> list[str]:
    """What was computed and how, with the parameters actually used."""
    rules = rules_used(data)
    models = sorted({scene.model for scene in data.scenes if scene.model})
    classes = [c for c in taxonomy.ALL_CLASSES if c.code != "background"]
    used = "、".join(models) if language == "zh" else ", ".join(models)
    numbers = {
        "eps": f"{rules.epsilon:g}" if rules else NOTHING,
        "mmu": f"{rules.mmu_m2:g}" if rules else NOTHING,
        "models": used or NOTHING,
        "zh": "、".join(c.zh for c in classes),
        "en": ", ".join(c.en.lower() for c in classes),
    }
    if language == "zh":
        lines = (
            "解译类别为{zh}。土地损毁由类别派生：挖损＝露天采场＋采坑积水，压占＝生活区＋工业广场＋堆放场＋尾矿库，"
            "塌陷由人工依据证据勾绘；植被与天然水体为背景，不计损毁。",
            "统计以“账面状态”为依据：每块地的状态逐年登记，新一年的影像只在有效观测范围内更新账面；"
            "云、雪、阴影遮挡及影像范围之外的地面沿用上期状态，既不产生新增，也不产生治理。",
            "新增损毁指上年账面为非损毁且当年观测为损毁、并经审核员认定的地面；首次观测与漏判补录单列。"
            "治理指账面为损毁、当年观测已恢复、并经审核员依据证据认定的地面；未经认定的列为待核，仍计入存量。",
            "变化图斑须同时满足位置容差 ε＝{eps} m 与最小上图面积 {mmu} m²，不满足者维持上期状态，避免配准误差形成伪变化。",
            "面积为 2000 国家大地坐标系(CGCS2000)椭球面积，不作坡度与高程改正。每个最小单元的面积只量算一次并取整到 cm²，"
            "其余数值均由整数求和得到；成表时一次修约并闭合。1 公顷＝15 亩。",
            "解译模型：{models}。",
        )
    else:
        lines = (
            "Classes: {en}. Damage is derived from them: excavation = open pit + pit water; occupation = living area + "
            "industrial square + stockpile + tailings pond; subsidence is drawn by hand on evidence. Vegetation and "
            "natural water are context.",
            "Statistics follow the book: the state of every piece of ground is registered year by year, and imagery "
            "updates it only where the ground was validly observed. Ground under cloud, snow or shadow keeps its last "
            "state and can neither be new nor restored.",
            "New damage is ground that was undamaged in last year's book, is seen damaged this year and was confirmed "
            "by a reviewer; ground seen for the first time and omissions are shown apart. Restored is damaged ground "
            "that is seen recovered and was confirmed on evidence; until then it is pending and stays in the stock.",
            "A change must exceed the position tolerance ε = {eps} m and the minimum mapping unit of {mmu} m²; smaller "
            "differences keep the old state, so that misregistration makes no false change.",
            "Areas are ellipsoidal on CGCS2000 without correction for slope or height. Every atom is measured once and "
            "rounded to whole cm²; everything else is a sum of integers, rounded once and closed for the tables. "
            "1 hm² = 15 mu.",
            "Models: {models}.",
        )
    return [line.format(**numbers) for line in lines]


def conclusions(data: EditionData, tables: Tables, language: Language) -> list[str]:
    """A draft of conclusions from the figures, for people to edit."""
    grown = Decimal(net(tables))
    by_region = sorted(tables["T1"].parts(), key=lambda row: tables["T1"].cell(row, "new").exact or 0, reverse=True)
    classes = [row for row in tables["T2"].rows if row.level == "part"]
    largest = max(classes, key=lambda row: tables["T2"].cell(row, "new").exact or 0, default=None)
    lines: list[str] = []
    direction = pick(("大于", "exceeds") if grown > 0 else ("不大于", "does not exceed"), language)
    lines.append(
        pick(
            (
                f"本年新增损毁{direction}治理面积，净变化 {net(tables)} 公顷；累计修复率 {_total(tables, 'cumulative_rate')}%。",
                f"New damage {direction} restoration; the net change is {net(tables)} hm², "
                f"the cumulative rate {_total(tables, 'cumulative_rate')} %.",
            ),
            language,
        )
    )
    if largest is not None and tables["T2"].cell(largest, "new").exact:
        name, value = tables["T2"].cell(largest, "class").text, tables["T2"].cell(largest, "new").text
        kind = kind_name(next(k for k in KINDS if tables["T2"].cell(tables["T2"].row(k), "kind").text
                              == tables["T2"].cell(largest, "kind").text), language)  # fmt: skip
        zh = f"新增以{name}({kind})为主，计 {value} 公顷，建议作为下一年度巡查重点。"
        en = f"Most of the new damage is {name.lower()} ({kind.lower()}), {value} hm²; inspections should look there first."
        lines.append(pick((zh, en), language))
    if by_region and tables["T1"].cell(by_region[0], "new").exact:
        name = tables["T1"].cell(by_region[0], "region").text.rstrip(" ※")
        value = tables["T1"].cell(by_region[0], "new").text
        lines.append(
            pick(
                (f"新增面积最大的行政区为{name}，{value} 公顷。", f"{name} has the most new damage, {value} hm²."),
                language,
            )
        )
    pending = _exact(tables, "pending")
    if pending:
        zh = f"有 {_hm2(pending)} 公顷影像上已不见损毁但证据不足，建议补充验收材料后核定。"
        en = f"{_hm2(pending)} hm² no longer looks damaged but lacks evidence; acceptance documents should be obtained."
        lines.append(pick((zh, en), language))
    if coverage_warning(data, tables, language):
        zh, en = (
            "观测覆盖不足的行政区应补充当季影像。",
            "Regions with too little coverage need more imagery of the season.",
        )
        lines.append(pick((zh, en), language))
    return lines
