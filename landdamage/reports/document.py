"""The yearly report as a structure: eleven sections and the annexes, from one bundle of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from landdamage import taxonomy
from landdamage.accounting.states import NAMES, Flow
from landdamage.reports import narrative
from landdamage.reports.blocks import (
    Block,
    Bullets,
    ChartBlock,
    Chips,
    Document,
    Figures,
    Heading,
    Pair,
    Paragraph,
    Picture,
    Section,
    TableBlock,
)  # fmt: skip
from landdamage.reports.charts import Chart, charts
from landdamage.reports.data import EditionData
from landdamage.reports.listings import listed_pieces
from landdamage.reports.table import NOTHING, Column, Row, Table, area, count, text
from landdamage.reports.words import Language, pick, word

TOP = 20  # mines with the most new damage
PAIRS = 4  # restorations shown before and after
MOST_MINES = 400  # rows of the annex that lists mines; the workbook lists all
MOST_PATCHES = 200  # rows of the annex that lists patches; the workbook lists all


@dataclass(frozen=True)
class Makers:
    """Who made the report, as printed; empty fields are left blank to be filled in by hand."""

    unit: str = ""
    author: str = ""
    checker: str = ""
    made_on: date | None = None
    secrecy: str = ""
    approval_no: str = ""


def compose(
    data: EditionData,
    tables: Mapping[str, Table],
    language: Language,
    *,
    makers: Makers | None = None,
    overview: Picture | None = None,
    chips: Chips | None = None,
    conclusions: Sequence[str] = (),
    sheets: Sequence[str] = (),
) -> Document:
    """Put the report together.

    Args:
        data: the edition.
        tables: T1-T10 in ``language``.
        language: of everything.
        makers: who signs.
        overview: the map of section 1.
        chips: gives before and after images of a piece.
        conclusions: replaces the generated draft of section 10.
        sheets: names of the map sheets in the delivery.
    """
    makers = makers or Makers()
    edition = data.edition
    drawn = charts(tables, language)
    build = _Builder(data, tables, language, drawn)
    region = pick((edition.region_zh, edition.region_en), language)
    title = pick(
        (
            f"{edition.year} 年{region}矿山土地损毁与治理遥感监测报告",
            f"Annual Remote-Sensing Report on Mine Land Damage and Restoration, {region}, {edition.year}",
        ),
        language,
    )
    state = word(edition.state, language)
    subtitle = f"{pick(('版本', 'Edition'), language)} v{edition.version} · {state}"
    return Document(
        title,
        subtitle,
        _facts(data, makers, language),
        edition,
        language,
        (
            build.summary(),
            build.area_and_data(overview),
            build.methods(),
            build.stock(),
            build.new(),
            build.restoration(chips),
            build.transitions(),
            build.regions(),
            build.years(),
            build.quality(),
            build.conclusions(conclusions),
            *build.annexes(sheets),
        ),
    )


def _facts(data: EditionData, makers: Makers, language: Language) -> tuple[tuple[str, str], ...]:
    edition = data.edition
    made = makers.made_on or edition.published_on
    rows = (
        (("编制单位", "Compiled by"), makers.unit),
        (("编制人", "Author"), makers.author),
        (("审核人", "Checked by"), makers.checker),
        (("编制日期", "Date"), made.isoformat() if made else ""),
        (("版本", "Edition"), f"{edition.year} v{edition.version} ({word(edition.state, language)})"),
        (("基于", "Based on"), edition.based_on or NOTHING),
        (("内容哈希", "Content hash"), edition.content_sha256 or NOTHING),
        (("密级", "Secrecy"), makers.secrecy),
    )
    return tuple((pick(name, language), value) for name, value in rows)


@dataclass
class _Builder:
    data: EditionData
    tables: Mapping[str, Table]
    language: Language
    charts: Mapping[str, Chart]

    def say(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def chart(self, code: str) -> list[Block]:
        return [ChartBlock(self.charts[code])] if code in self.charts else []

    def summary(self) -> Section:
        blocks: list[Block] = [Figures(narrative.key_figures(self.tables, self.language))]
        warning = narrative.coverage_warning(self.data, self.tables, self.language)
        if warning:
            blocks.append(Paragraph(warning, warning=True))
        if self.data.edition.state in ("draft", "frozen"):
            zh, en = "本报告依据尚未发布的版本生成，仅供审阅。", "Made from an unpublished edition: for review only."
            blocks.append(Paragraph(self.say(zh, en), warning=True))
        blocks += [Paragraph(line) for line in narrative.summary(self.data, self.tables, self.language)]
        return Section("0", self.say("摘要", "Summary"), blocks)

    def area_and_data(self, overview: Picture | None) -> Section:
        mines, scenes = self.data.mines, [s for s in self.data.scenes if s.year == self.data.edition.year]
        dates = sorted(s.acquired_on for s in scenes if s.acquired_on)
        monitored = self.tables["T1"].cell(self.tables["T1"].total, "monitored").text
        covered = self.tables["T1"].cell(self.tables["T1"].total, "coverage").text
        season = f"{dates[0]} – {dates[-1]}" if dates else NOTHING
        zh = (
            f"监测区含矿山 {len(mines)} 座，监测面积 {monitored} 公顷，观测覆盖率 {covered}%。"
            f"本年使用影像 {len(scenes)} 景，成像时间 {season}。"
        )
        en = (
            f"The monitored area holds {len(mines)} mines on {monitored} hm²; {covered} % of it was observed. "
            f"{len(scenes)} images of this year were used, acquired {season}."
        )
        blocks: list[Block] = [Paragraph(self.say(zh, en))]
        if overview:
            blocks.append(overview)
        blocks += [TableBlock(_mines_by_kind(self.data, self.language), numbered=False)]
        blocks += [TableBlock(self.tables["T8"]), *self.chart("coverage")]
        return Section("1", self.say("监测范围与数据", "Area and data"), blocks)

    def methods(self) -> Section:
        lines = narrative.methods(self.data, self.language)
        blocks: list[Block] = [Paragraph(line) for line in lines]
        return Section("2", self.say("方法与口径", "Methods and definitions"), blocks)

    def stock(self) -> Section:
        return Section(
            "3",
            self.say("土地损毁现状", "State of damage"),
            [TableBlock(self.tables["T2"]), *self.chart("stock_by_class")],
        )

    def new(self) -> Section:
        table = self.tables["T3"]
        ranked = sorted(table.parts(), key=lambda row: table.cell(row, "new").exact or 0, reverse=True)
        shown = [row for row in ranked if table.cell(row, "new").exact][:TOP]
        blocks: list[Block] = [Paragraph(narrative.summary(self.data, self.tables, self.language)[0])]
        blocks += self.chart("new_by_kind")
        blocks.append(Paragraph(narrative.beside_new(self.tables, self.language)))
        if shown:
            caption = self.say(
                f"新增损毁最多的矿山(前 {len(shown)} 座)", f"Mines with the most new damage ({len(shown)})"
            )
            columns = ("code", "name", "mineral_kind", "mining_method", "opening", "new", "closing", "obs_on")
            top = replace(table, rows=tuple(shown), notes=())
            blocks.append(TableBlock(top, columns, caption=caption, numbered=False))
        return Section("4", self.say("新增损毁", "New damage"), blocks)

    def restoration(self, chips: Chips | None) -> Section:
        blocks: list[Block] = [Paragraph(narrative.summary(self.data, self.tables, self.language)[1])]
        blocks += [TableBlock(self.tables["T6"]), *self.chart("restored_by_kind")]
        blocks += self._pairs(chips)
        pending = self._pending()
        if pending.rows:
            blocks.append(Heading(self.say("待核图斑", "Pending")))
            blocks.append(TableBlock(pending, numbered=False))
        return Section("5", self.say("治理恢复", "Restoration"), blocks)

    def _pairs(self, chips: Chips | None) -> list[Block]:
        if chips is None:
            return []
        pieces = listed_pieces(self.data)
        restored = pieces[pieces["decision"] == Flow.RESTORED].sort_values("area_cm2", ascending=False, kind="stable")
        labels = (self.say("治理前", "Before"), self.say("治理后", "After"))
        made: list[Block] = []
        for piece in restored.head(PAIRS).itertuples():
            before, after = chips(int(piece.piece_id))  # type: ignore[arg-type]
            if before is None and after is None:
                continue
            size = area(int(piece.area_cm2)).text  # type: ignore[arg-type]
            caption = f"{piece.patch_no} · {pick(NAMES[str(piece.prev_state)], self.language)} · {size} hm²"
            made.append(Pair(caption, before, after, labels))
        return [Heading(self.say("治理前后对比", "Before and after")), *made] if made else []

    def _pending(self) -> Table:
        pieces = self.data.pieces
        open_ = pieces[(pieces["kind"] == "released") & ~pieces["decision"].isin(["restored", "corrected"])]
        mines = {mine.mine_id: mine for mine in self.data.mines}
        rows = []
        for piece in open_.sort_values("area_cm2", ascending=False, kind="stable").head(TOP).itertuples():
            mine = mines.get(str(piece.mine_id))
            name = pick((mine.name_zh, mine.name_en), self.language) if mine else word("unassigned", self.language)
            cm2 = int(piece.area_cm2)  # type: ignore[arg-type]
            state = text(pick(NAMES[str(piece.prev_state)], self.language))
            rows.append(Row((text(name), state, area(cm2), area(cm2, "mu"))))
        columns = (
            Column("mine", "矿山", "Mine"),
            Column("class", "账面地类", "Class in the book"),
            Column("area", "面积", "Area", "hm2"),
            Column("area_mu", "面积", "Area", "mu"),
        )
        titles = (f"待核图斑(面积前 {TOP})", f"Pending patches (the {TOP} largest)")
        return Table("", *titles, columns, tuple(rows), (), self.language)

    def transitions(self) -> Section:
        return Section(
            "6",
            self.say("类型转换", "Transitions"),
            [*self.chart("transition_matrix"), TableBlock(self.tables["T5"])],
        )

    def regions(self) -> Section:
        pointer = self.say(
            "分矿统计见附表 A(全表见 tables.xlsx)。", "Figures by mine: annex A (complete in tables.xlsx)."
        )
        return Section(
            "7",
            self.say("分区与分矿统计", "By region and mine"),
            [
                TableBlock(self.tables["T1"], wide=True),
                TableBlock(self.tables["T4"], wide=True),
                Paragraph(pointer),
                *self.chart("region_ranking"),
            ],
        )

    def years(self) -> Section:
        blocks: list[Block] = [TableBlock(self.tables["T10"]), *self.chart("new_and_restored_by_year")]
        if self.data.edition.based_on_outdated:
            zh, en = "本版本所依据的上一年度版本已被替代。", "The edition this one stands on has been superseded."
            blocks.insert(0, Paragraph(self.say(zh, en), warning=True))
        return Section("8", self.say("多年变化", "Trend"), blocks)

    def quality(self) -> Section:
        return Section("9", self.say("质量与不确定性", "Quality and uncertainty"), [TableBlock(self.tables["T9"])])

    def conclusions(self, given: Sequence[str]) -> Section:
        lines = tuple(given) or tuple(narrative.conclusions(self.data, self.tables, self.language))
        return Section("10", self.say("结论与建议", "Conclusions"), [Bullets(lines)])

    def annexes(self, sheets: Sequence[str]) -> list[Section]:
        mines = _head(self.tables["T3"], MOST_MINES, self.language, "closing")
        patches = _head(self.tables["T7"], MOST_PATCHES, self.language, "area_m2")
        columns = tuple(c.key for c in mines.columns if c.key not in ("licence_no", "status", "first_seen", "adj_plus"))
        made = [
            Section("A", self.say("附表：分矿统计", "Annex: mines"), [TableBlock(mines, columns, wide=True)]),
            Section("B", self.say("附表：图斑清单", "Annex: patches"), [TableBlock(patches, wide=True)]),
            Section("C", self.say("术语", "Glossary"), [TableBlock(_glossary(self.language), numbered=False)]),
        ]
        if sheets:
            made.append(Section("D", self.say("附图目录", "Map sheets"), [Bullets(tuple(sheets))]))
        if self.data.edition.change_note:
            note = [Paragraph(self.data.edition.change_note)]
            made.append(Section("E", self.say("与前一版本的差异", "Changes to the earlier edition"), note))
        return made


def _head(table: Table, most: int, language: Language, key: str) -> Table:
    """The largest rows of a long table, with a note that says where the others are."""
    parts = [row for row in table.rows if row.level == "part"]
    if len(parts) <= most:
        return table
    kept = set(map(id, sorted(parts, key=lambda row: table.cell(row, key).exact or 0, reverse=True)[:most]))
    zh = f"只列面积最大的 {most} 行，全部 {len(parts)} 行见 tables.xlsx。"
    en = f"The {most} largest of {len(parts)} rows; all of them are in tables.xlsx."
    rows = tuple(row for row in table.rows if row.level != "part" or id(row) in kept)
    return replace(table, rows=rows, notes=(*table.notes, pick((zh, en), language)))


def _mines_by_kind(data: EditionData, language: Language) -> Table:
    numbers: dict[tuple[str, str], int] = {}
    for mine in data.mines:
        pair = (mine.mineral_kind, mine.mining_method)
        numbers[pair] = numbers.get(pair, 0) + 1
    rows = [
        Row((text(word(kind, language, "mineral.")), text(word(method, language, "method.")), count(number)))
        for (kind, method), number in sorted(numbers.items())
    ]
    rows.append(Row((text(word("total", language)), text(""), count(len(data.mines))), "total"))
    columns = (
        Column("mineral_kind", "矿种类型", "Mineral"),
        Column("mining_method", "开采方式", "Method"),
        Column("mines", "矿山数", "Mines", "count"),
    )
    return Table("", "监测矿山构成", "Mines by mineral and method", columns, tuple(rows), (), language)


def _glossary(language: Language) -> Table:
    terms: list[tuple[str, str, str, str]] = [
        (c.zh, c.en, c.help_zh, c.help_en) for c in taxonomy.ALL_CLASSES if c.code != "background"
    ]
    terms += [
        ("存量", "Stock", "年末账面上的损毁面积", "Damaged area in the book at the end of the year"),
        ("新增", "New", "本年经审核认定的新损毁", "Damage confirmed as new in this year"),
        ("首次观测", "First seen", "以往从未观测的地面上的损毁", "Damage on ground never observed before"),
        ("补录", "Omission", "以往漏判、本年补记的损毁", "Damage missed in earlier years"),
        ("更正", "Corrected", "以往误判、本年核减的损毁", "Ground wrongly taken for damage before"),
        ("待核", "Pending", "影像已不见损毁、尚未认定治理", "No longer looks damaged, not decided"),
        ("年度治理率", "Annual restoration rate", "本年治理 ÷ 本年新增", "Restored / new of the year"),
        ("累计修复率", "Cumulative restoration rate", "已治理 ÷ (存量＋已治理)", "Restored stock / (stock + it)"),
    ]
    rows = [Row((text(zh), text(en), text(pick((zh_help, en_help), language)))) for zh, en, zh_help, en_help in terms]
    columns = (
        Column("zh", "中文", "Chinese"),
        Column("en", "英文", "English"),
        Column("meaning", "含义", "Meaning"),
    )
    return Table("", "术语", "Glossary", columns, tuple(rows), (), language)
