"""T7, the patches one by one, T8, the imagery, and T9, what is known about the quality."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from landdamage.accounting.rules import Rules
from landdamage.accounting.states import NAMES, Flow, State
from landdamage.reports.data import EditionData, SceneFacts
from landdamage.reports.sums import total
from landdamage.reports.table import NOTHING, Cell, Column, Row, Table, area, count, day, decimal, percent, text
from landdamage.reports.words import Language, kind_name, pick, word

LISTED = (Flow.NEW.value, Flow.RESTORED.value)
_KIND_SHORT = {"exc": "excavation", "occ": "occupation", "sub": "subsidence"}


def listed_pieces(data: EditionData) -> pd.DataFrame:
    """New and restored pieces, by region, kind and size, with ``patch_no``: county (6) + year (4) + B + serial."""
    pieces = data.pieces[data.pieces["decision"].isin(LISTED)].copy()
    homes = data.cells.dropna(subset="piece_id").sort_values("area_cm2", kind="stable")
    home = homes.drop_duplicates("piece_id", keep="last").set_index("piece_id")
    pieces["region_code"] = pieces["piece_id"].map(home["region_code"]).fillna("")
    pieces["scene_id"] = pieces["piece_id"].map(home["scene_id"]).fillna("")
    order = ["region_code", "decision", "area_cm2", "piece_id"]
    pieces = pieces.sort_values(order, ascending=[True, True, False, True], kind="stable")
    county = pieces["region_code"].astype(str).str[:6].where(pieces["region_code"] != "", data.edition.region_code)
    serial = pieces.groupby(county, sort=False).cumcount() + 1
    pieces["patch_no"] = [f"{c:0<6}{data.edition.year}B{n:05d}" for c, n in zip(county, serial, strict=True)]
    return pieces


def patches(data: EditionData, language: Language) -> Table:
    """T7: every new and restored patch."""
    mines = {mine.mine_id: mine for mine in data.mines}
    scenes = {scene.scene_id: scene for scene in data.scenes}
    on_day: dict[date | None, SceneFacts] = {scene.acquired_on: scene for scene in data.scenes}
    pieces = listed_pieces(data)
    centres = pieces.geometry.representative_point() if len(pieces) else pieces.geometry
    made = []
    for piece, centre in zip(pieces.itertuples(), centres, strict=True):
        mine = mines.get(str(piece.mine_id))
        new = piece.decision == Flow.NEW
        scene = scenes.get(str(piece.scene_id))
        name = pick((mine.name_zh, mine.name_en or mine.name_zh), language) if mine else word("unassigned", language)
        cm2 = int(piece.area_cm2)  # type: ignore[arg-type]
        cells = (
            text(str(piece.patch_no)),
            text(name),
            text(pick(NAMES[str(piece.obs_state if new else piece.prev_state)], language)),
            text(pick(NAMES[str(piece.decision)], language)),
            area(cm2, "m2"),
            area(cm2, "hm2"),
            area(cm2, "mu"),
            decimal(centre.x, 6),
            decimal(centre.y, 6),
            text(_imagery(piece.prev_on, on_day.get(piece.prev_on))),  # type: ignore[arg-type]
            text(_imagery(piece.obs_on, scene or on_day.get(piece.obs_on))),  # type: ignore[arg-type]
            decimal(None if pd.isna(piece.confidence) else float(piece.confidence), 3),  # type: ignore[arg-type]
            text(str(piece.author or (scene.model if scene else "")) or NOTHING),
            text(str(piece.decided_by or "") or NOTHING),
        )
        made.append(Row(cells, "part", str(piece.piece_id)))
    columns = (
        Column("patch_no", "图斑编号", "Patch no."),
        Column("mine", "矿山", "Mine"),
        Column("class", "类别", "Class"),
        Column("change", "变化类型", "Change"),
        Column("area_m2", "面积", "Area", "m2"),
        Column("area_hm2", "面积", "Area", "hm2"),
        Column("area_mu", "面积", "Area", "mu"),
        Column("lon", "中心经度", "Longitude", "degree"),
        Column("lat", "中心纬度", "Latitude", "degree"),
        Column("before", "前时相影像", "Imagery before"),
        Column("now", "后时相影像", "Imagery now"),
        Column("confidence", "置信度", "Confidence", "decimal"),
        Column("author", "解译", "Interpreted by"),
        Column("reviewer", "审核人", "Reviewed by"),
    )
    return Table("T7", "新增与治理图斑清单", "New and restored patches", columns, tuple(made), (), language)


def _imagery(on: date | None, scene: SceneFacts | None) -> str:
    if on is None or pd.isna(on):
        on = scene.acquired_on if scene else None
    if on is None:
        return NOTHING
    sensor = f"{scene.satellite} {scene.sensor}".strip() if scene else ""
    return f"{on.isoformat()} {sensor}".strip()


def imagery(data: EditionData, language: Language) -> Table:
    """T8: the images the edition stands on."""
    scenes = sorted(data.scenes, key=lambda scene: (scene.year, scene.acquired_on or date.min, scene.file_name))
    made = [
        Row(
            (
                count(scene.year),
                text(scene.file_name),
                text(scene.satellite or NOTHING),
                text(scene.sensor or NOTHING),
                day(scene.acquired_on),
                decimal(scene.gsd_m, 2),
                percent(scene.cloud_share, 1) if scene.cloud_share is not None else Cell(NOTHING),
                text(scene.model or NOTHING),
                text(scene.weights_sha256[:12]),
                text(scene.sha256[:12]),
            ),
            "part",
            scene.scene_id,
        )
        for scene in scenes
    ]
    columns = (
        Column("year", "年度", "Year", "count"),
        Column("file_name", "文件名", "File"),
        Column("satellite", "卫星", "Satellite"),
        Column("sensor", "传感器", "Sensor"),
        Column("acquired_on", "成像日期", "Acquired", "date"),
        Column("gsd", "分辨率(m)", "GSD (m)", "decimal"),
        Column("cloud", "云量", "Cloud", "percent"),
        Column("model", "解译模型", "Model"),
        Column("weights", "权重哈希", "Weights hash"),
        Column("sha256", "影像哈希", "File hash"),
    )
    return Table("T8", "使用影像清单", "Imagery used", columns, tuple(made), (), language)


def quality(data: EditionData, rows: pd.DataFrame, language: Language) -> Table:
    """T9: coverage, registration, thresholds, accuracy with intervals, bias, and the edition's lineage."""
    made: list[Row] = []

    def add(group: tuple[str, str], item: tuple[str, str], value: Cell | str, note: str = "", key: str = "") -> None:
        shown = text(value) if isinstance(value, str) else value
        made.append(Row((text(pick(group, language)), text(pick(item, language)), shown, text(note)), "part", key))

    _coverage(data, rows, add, language)
    _thresholds(data, add, language)
    _accuracy(data, add, language)
    _bias(data, add, language)
    edition = data.edition
    group = ("版本", "Edition")
    add(group, ("版本", "Edition"), f"{edition.year} v{edition.version}", word(edition.state, language), "edition")
    based = edition.based_on or NOTHING
    outdated = pick(("基于旧版", "based on an outdated edition"), language) if edition.based_on_outdated else ""
    add(group, ("基于", "Based on"), based, outdated, "based_on")
    add(group, ("内容哈希", "Content hash"), edition.content_sha256 or NOTHING, "", "content_sha256")
    add(group, ("软件版本", "Software"), edition.code_version or NOTHING, "", "code_version")
    add(group, ("变更说明", "Change note"), edition.change_note or NOTHING, "", "change_note")
    columns = (
        Column("group", "类别", "Group"),
        Column("item", "指标", "Item"),
        Column("value", "数值", "Value"),
        Column("note", "说明", "Note"),
    )
    return Table("T9", "质量与不确定性", "Quality and uncertainty", columns, tuple(made), (), language)


def _with_unit(cell: Cell, unit: str) -> Cell:
    return Cell(f"{cell.text} {unit}" if cell.text != NOTHING else NOTHING, cell.value, cell.exact)


def _coverage(data: EditionData, rows: pd.DataFrame, add: Any, language: Language) -> None:
    group = ("观测", "Observation")
    whole = total(rows)
    add(group, ("监测面积", "Monitored area"), _with_unit(area(whole["monitored"]), "hm²"), "", "monitored")
    covered = _with_unit(percent(whole["observed"], whole["monitored"]), "%")
    add(group, ("观测覆盖率", "Coverage"), covered, "", "coverage")
    worst = min(data.regions, key=lambda region: region.coverage, default=None)
    if worst:
        name = pick((worst.name_zh, worst.name_en or worst.name_zh), language)
        least = _with_unit(percent(worst.observed_cm2, worst.monitored_cm2), "%")
        add(group, ("最低行政区覆盖率", "Lowest coverage of a region"), least, name, "coverage_min")
    months = sorted(
        {scene.acquired_on for scene in data.scenes if scene.acquired_on and scene.year == data.edition.year}
    )
    if months:
        add(group, ("影像日期范围", "Imagery dates"), f"{months[0]} – {months[-1]}", "", "dates")
    if "out_of_season" in data.edition.results:
        late = count(len(data.edition.results["out_of_season"]))
        add(group, ("5–10 月以外的影像数", "Images outside May-October"), late, "", "out_of_season")
    old = int(rows["monitored"][(rows["flow"] == Flow.CARRIED) & (rows["prev_state"] != State.UNKNOWN.code)].sum())
    add(group, ("沿用上期状态的面积", "Area carried over"), _with_unit(area(old), "hm²"), "", "carried")


def _thresholds(data: EditionData, add: Any, language: Language) -> None:
    group = ("参数", "Parameters")
    rules = rules_used(data)
    if rules is None:
        return
    for key, zh, en, value, unit in (
        ("gsd_before", "前时相分辨率", "GSD before", rules.gsd_before, "m"),
        ("gsd_now", "后时相分辨率", "GSD now", rules.gsd_now, "m"),
        ("rmse_m", "配准中误差", "Registration RMSE", rules.rmse_m, "m"),
        ("epsilon_m", "位置容差 ε", "Position tolerance ε", rules.epsilon, "m"),
        ("min_area_m2", "最小上图面积", "Minimum mapping unit", rules.mmu_m2, "m²"),
    ):
        if value is not None:
            note = _registration_note(data, language) if key == "rmse_m" else ""
            add(group, (zh, en), _with_unit(decimal(value, 2), unit), note, key)
    if rules.water_mode == "paper":
        note = pick(("仅供与已发表数字比较", "for comparison with published figures only"), language)
        add(group, ("水域口径", "Water"), pick(("全部计入挖损", "all of it excavation"), language), note, "water_mode")


def _registration_note(data: EditionData, language: Language) -> str:
    """Where the registration error comes from; empty for editions that did not say."""
    told = data.edition.results.get("registration")
    if not told:
        return ""
    if told["given"]:
        return pick(("核算时给定", "given for the account"), language)
    if not told["assumed"]:
        return pick(("取两期影像实测的最大值", "the worst measured of both years' scenes"), language)
    many = len(told["unknown"])
    zh, en = f"{many} 景影像未实测，按 1 个像元计", f"{many} scenes were not measured: one pixel is assumed for them"
    return pick((zh, en), language)


def rules_used(data: EditionData) -> Rules | None:
    """The rules the account was made with; None for an edition that has not been computed."""
    return Rules.from_dict(data.edition.params) if "gsd_now" in data.edition.params else None


def _accuracy(data: EditionData, add: Any, language: Language) -> None:
    group = ("精度", "Accuracy")
    found = data.accuracy
    if not found or "overall" not in found:
        missing = pick(("未进行抽样检查", "no check sample"), language)
        add(group, ("总体精度", "Overall accuracy"), Cell(NOTHING), missing, "overall")
        return
    points = pick((f"检查点 {found['agreed']} 个", f"{found['agreed']} check points"), language)
    share, low, high = found["overall"]
    overall = f"{share * 100:.2f} ({low * 100:.2f} – {high * 100:.2f}) %"
    add(group, ("总体精度(95% 置信区间)", "Overall accuracy (95 % interval)"), overall, points, "overall")
    kappa = decimal(found.get("kappa"), 3)
    add(group, ("两人标注一致性 Kappa", "Agreement of two labellers (kappa)"), kappa, "", "kappa")
    for short, kind in _KIND_SHORT.items():
        for what, zh, en in (
            ("stock_cm2", "存量", "stock"),
            ("new_cm2", "新增", "new"),
            ("restored_cm2", "治理", "restored"),
        ):
            adjusted, low, high, mapped = found.get("kinds", {}).get(short, {}).get(what, (0, 0, 0, 0))
            if not (adjusted or mapped):
                continue
            value = f"{area(adjusted).text} ({area(low).text} – {area(high).text}) hm²"
            item = (f"{kind_name(kind, 'zh')}{zh}(误差校正)", f"{kind_name(kind, 'en')} {en}, adjusted")
            on_map = f"{pick(('制图', 'mapped'), language)} {area(mapped).text} hm²"
            add(group, item, value, on_map, f"{kind}.{what}")


_MIXED = {"gsd": ("分辨率", "pixel size"), "satellite": ("卫星", "satellite"), "season": ("季节", "season")}


def _bias(data: EditionData, add: Any, language: Language) -> None:
    group = ("传感器偏差", "Sensor bias")
    results = data.edition.results
    if "mixed_sensor" in results:
        reasons = [pick(_MIXED[reason], language) for reason in results["mixed_sensor"]]
        value = pick(("是", "yes") if reasons else ("否", "no"), language)
        add(group, ("异源影像对", "Unlike images"), value, ", ".join(reasons), "mixed_sensor")
    bias = results.get("bias") or {}
    for key, zh, en in (
        ("false_new", "新增中的估计伪变化", "False change within new, estimated"),
        ("false_released", "待核与治理中的估计伪变化", "False change within released, estimated"),
    ):
        if f"{key}_m2" in bias:
            value = f"{_measured(bias[f'{key}_m2'])} ± {_measured(bias[f'{key}_half_m2'])} hm²"
            controls = pick((f"检核图斑 {bias['controls']} 个", f"{bias['controls']} control polygons"), language)
            add(group, (zh, en), value, controls, f"bias.{key}")


def _measured(m2: float | None) -> str:
    """An estimate in hm²; a dash where no control polygon, or for an interval only one, measured it."""
    return NOTHING if m2 is None else area(round(m2 * 10_000)).text
