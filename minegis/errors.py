"""One error tree and ONE table: error code -> HTTP status, severity, zh and en message, hint.

Bodies raise ``MineGISError`` (or a subclass that says which layer failed) with a code of ``TABLE`` and the values that
fill its message; doors turn it into a problem body, a page notice or a line on the terminal. No Django here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Severity = Literal["error", "warn"]
Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code means to the outside: status for HTTP, both languages for people, a hint that says what to do."""

    status: int
    zh: str
    en: str
    hint_zh: str = ""
    hint_en: str = ""
    severity: Severity = "error"


def _table() -> dict[str, Entry]:
    e = Entry
    w: Severity = "warn"
    return {
        # Upload
        "E-UPL-01": e(
            460,
            "文件上传不完整，校验值不一致，请重新上传",
            "Upload incomplete (checksum differs); upload again",
            "检查网络后重新发送该分块或整个文件",
            "Check the link, then send the chunk or the file again",
        ),
        "E-UPL-02": e(
            422, "文件为空", "The file is empty", "请选择含有影像的文件", "Choose a file that holds an image"
        ),
        # Not 409: to a tus client that means a wrong offset, and it would send the whole file again.
        "E-UPL-03": e(
            422,
            "该影像已存在(景号 {scene})",
            "This scene already exists (id {scene})",
            "直接打开已有影像即可",
            "Open the existing scene instead",
        ),
        "E-UPL-04": e(
            507,
            "磁盘空间不足(需要 {need}，剩余 {free})",
            "Not enough disk space (needs {need}, {free} left)",
            "请联系管理员清理存储",
            "Ask the administrator to free storage",
        ),
        "E-UPL-05": e(
            413,
            "文件超过上限({limit})",
            "The file is larger than the limit of {limit}",
            "请分幅后上传",
            "Split the image and upload the parts",
        ),
        "E-UPL-06": e(
            409,
            "上传偏移量不一致(服务器 {expected}，请求 {found})",
            "Upload offset differs (server {expected}, request {found})",
            "先用 HEAD 查询偏移量再续传",
            "Ask the server for its offset with HEAD, then resume from there",
        ),
        "E-UPL-07": e(
            413,
            "分块超出声明的文件长度",
            "The chunk runs past the declared length",
            "请按声明的长度发送",
            "Send no more than the declared length",
        ),
        "E-UPL-08": e(
            410,
            "该上传已过期或已取消",
            "This upload has expired or was cancelled",
            "请重新开始上传",
            "Start the upload again",
        ),
        "E-UPL-09": e(
            412,
            "不支持的 tus 协议版本或请求头缺失：{value}",
            "Unsupported tus version or missing header: {value}",
            "请使用 tus 1.0.0 客户端",
            "Use a tus 1.0.0 client",
        ),
        "E-UPL-10": e(
            423,
            "该上传正被另一请求写入",
            "Another request is writing to this upload",
            "稍候再试",
            "Try again in a moment",
        ),
        "E-UPL-11": e(
            400,
            "上传请求头有误：{value}",
            "Malformed upload header: {value}",
            "请使用 tus 1.0.0 客户端",
            "Use a tus 1.0.0 client",
        ),
        # Shared storage (S3)
        "E-STO-01": e(
            503,
            "共享存储({value})在 {seconds} 秒内没有响应",
            "The shared storage ({value}) has not answered for {seconds} s",
            "请联系管理员；存储恢复后重试该任务，已完成的部分不会重算",
            "Ask the administrator; once it is back, retry the job: nothing finished is computed again",
        ),
        "E-STO-02": e(
            503,
            "共享存储({value})拒绝访问({reason})",
            "The shared storage ({value}) refuses access ({reason})",
            "请管理员核对 AWS_ACCESS_KEY_ID、AWS_SECRET_ACCESS_KEY、存储权限和本机时钟",
            "The administrator checks AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, their rights and this machine's clock",
        ),
        "E-STO-03": e(
            503,
            "共享存储中没有该存储桶({value})",
            "The shared storage has no such bucket ({value})",
            "请管理员创建存储桶或改正 STORAGE_URL",
            "The administrator makes the bucket or corrects STORAGE_URL",
        ),
        "E-STO-04": e(
            503,
            "共享存储中的文件已损坏({value})：内容与其校验值不一致",
            "A file in the shared storage is damaged ({value}): its bytes differ from its hash",
            "请管理员从备份恢复该对象",
            "The administrator restores the object from a backup",
        ),
        "E-STO-05": e(
            507,
            "共享存储({value})已满",
            "The shared storage ({value}) is full",
            "请管理员扩容或清理后重试，已完成的部分不会重算",
            "The administrator makes room; then retry: nothing finished is computed again",
        ),
        "E-STO-06": e(
            503,
            "共享存储未接受请求({value})",
            "The shared storage did not take the request ({value})",
            "请将此信息告知管理员",
            "Tell the administrator",
        ),
        "E-STO-07": e(
            503,
            "共享存储的设置不完整或有误({value})",
            "The settings of the shared storage are incomplete or wrong ({value})",
            "应为 STORAGE_URL=s3://存储桶/前缀、S3_ENDPOINT_URL、AWS_ACCESS_KEY_ID、AWS_SECRET_ACCESS_KEY",
            "Set STORAGE_URL=s3://bucket/prefix, S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        "E-STO-08": e(
            507,
            "本机缓存放不下该文件(需要 {need}，上限 {limit})",
            "The local cache has no room for the file (needs {need}, limit {limit})",
            "请管理员增大 STORAGE_CACHE_GB 或清理本机磁盘",
            "The administrator raises STORAGE_CACHE_GB or frees this machine's disk",
        ),
        # Archives
        "E-ARC-01": e(
            422, "压缩包已损坏，无法解压", "Archive is damaged", "请重新打包后上传", "Pack it again and upload"
        ),
        "E-ARC-02": e(
            422,
            "压缩包内含不安全路径或链接，已拒绝",
            "Archive has unsafe paths or links; refused",
            "打包时不要包含绝对路径、上级目录或链接",
            "Pack without absolute paths, parent folders or links",
        ),
        "E-ARC-03": e(
            413,
            "解压后超过上限({limit} GB)",
            "Archive expands beyond the limit of {limit} GB",
            "请分多个压缩包上传",
            "Upload several smaller archives",
        ),
        "E-ARC-04": e(
            422,
            "压缩包中没有影像文件(tiff/img/pix)",
            "No image in the archive (tiff/img/pix)",
            "请检查压缩包内容",
            "Check what the archive holds",
        ),
        "E-ARC-05": e(
            422,
            "缺少 xml / rpb 文件：{value}",
            "Missing xml / rpb: {value}",
            "请补齐后上传",
            "Add the file and upload again",
        ),
        "E-ARC-06": e(
            422, "压缩包加密，请提供未加密文件", "Archive is encrypted", "请提供未加密文件", "Send it unencrypted"
        ),
        # Format
        "E-FMT-01": e(
            415,
            "无法识别的影像格式({value})",
            "Unknown image format ({value})",
            "请提供 GeoTIFF、ERDAS IMG、PCIDSK、ENVI 或 JPEG2000",
            "Provide GeoTIFF, ERDAS IMG, PCIDSK, ENVI or JPEG 2000",
        ),
        "E-FMT-02": e(
            422,
            "影像文件损坏，在第 {row} 行读取失败",
            "Image is corrupt (read failed at row {row})",
            "请重新拷贝或重新下载原始文件",
            "Copy or download the original again",
        ),
        "E-FMT-03": e(
            415,
            "不支持 ECW/MrSID，请转为 GeoTIFF",
            "ECW/MrSID not supported; convert to GeoTIFF",
            "在生产软件中导出为 GeoTIFF",
            "Export to GeoTIFF in the software that made it",
        ),
        "E-FMT-04": e(
            422,
            "扩展名与内容不符(名为 {name}，实为 {value})",
            "Extension does not match content ({name} is really {value})",
            "请改正扩展名或重新导出",
            "Correct the extension or export again",
        ),
        "E-FMT-05": e(
            422,
            "缺少配套文件({value})",
            "Companion file missing ({value})",
            "请将配套文件一并打包上传",
            "Pack the companion file with the image",
        ),
        "E-FMT-06": e(
            413,
            "影像过大({value} 像元，上限 {limit})",
            "Image too large ({value} pixels, limit {limit})",
            "请分幅后上传",
            "Split the image and upload the parts",
        ),
        "E-FMT-07": e(
            413,
            "文件声明的数据量({value})远超文件本身({size})，已拒绝",
            "Declares {value} of pixels in a file of {size}; refused as a decompression bomb",
            "请检查文件来源或重新导出",
            "Check where the file comes from or export it again",
        ),
        "E-FMT-08": e(
            422,
            "影像引用了其他文件({value})，已拒绝",
            "The image points to other files ({value}); refused",
            "请导出为单一的 GeoTIFF",
            "Export it as one self-contained GeoTIFF",
        ),
        "E-FMT-09": e(
            422,
            "{value} 中没有影像",
            "{value} names no image",
            "文件夹中应有 {known} 文件；清单为每行一个影像路径的文本",
            "A folder needs files of {known}; a list is a text with one image path a line",
        ),
        # Georeference
        "E-GEO-01": e(
            422,
            "影像没有坐标系，请选择坐标系",
            "No coordinate system; choose one",
            "上传时选择坐标系(如 EPSG:4538)，或导出时带上坐标系",
            "Choose it on upload (e.g. EPSG:4538) or export the image with its coordinate system",
        ),
        "E-GEO-02": e(
            422,
            "L1A 原始影像未正射校正，不能直接解译",
            "L1A is not orthorectified; cannot be interpreted",
            "请先用 RPC 与 DEM 做正射校正",
            "Orthorectify it with RPC and a DEM first",
        ),
        "E-GEO-03": e(
            422,
            "影像范围不在监测区域内(中心 {value})，请检查坐标系或带号",
            "Extent is outside the monitored region (centre {value}); check CRS or zone",
            "若确属域外影像，可忽略此提示",
            "Ignore this if the image really lies elsewhere",
            w,
        ),
        "E-GEO-04": e(
            422,
            "像元大小异常({value} m)",
            "Pixel size implausible ({value} m)",
            "请检查坐标系与仿射参数",
            "Check the CRS and the geotransform",
            w,
        ),
        "E-GEO-05": e(
            422, "影像有旋转或非正方形像元，将重采样", "Rotated or non-square pixels; will be resampled", "", "", w
        ),
        "E-GEO-06": e(
            422,
            "与参考影像套合误差 {value} 像元，超过限差",
            "Misregistration of {value} px exceeds the limit",
            "超过 2 像元须谨慎使用，超过 3 像元不得参与年度核算；请重新配准后上传",
            "Above 2 px use it with care, above 3 px it takes no part in accounts; register and upload it again",
        ),
        "E-GEO-07": e(422, "与监测区没有重叠", "No overlap with the monitoring area", "", "", w),
        "E-GEO-08": e(
            422,
            "影像位于经纬度 (0, 0) 附近，未写入真实位置",
            "The image lies at 0°, 0°: its position was never set",
            "请检查导出时的坐标",
            "Check the coordinates it was exported with",
        ),
        "E-GEO-09": e(
            422,
            "配准误差 {value} 无效，应为 0 至 {limit} m",
            "{value} is no registration error; take 0 to {limit} m",
            "请填写检查点的中误差(m)；不清楚时留空",
            "Give the root mean square error of check points in metres; leave it empty where it is not known",
        ),
        "E-CRS-01": e(
            422,
            "坐标带号与坐标系不一致(横坐标 {value})",
            "Easting {value} does not fit the CRS zone",
            "请核对带号",
            "Check the zone number",
        ),
        "E-CRS-02": e(422, "疑似 X/Y 坐标颠倒", "X and Y seem swapped", "请核对坐标次序", "Check the axis order"),
        "E-CRS-03": e(
            422,
            "六位横坐标且无带号，无法确定中央经线",
            "6-digit easting without zone; central meridian unknown",
            "请选择中央经线",
            "Choose the central meridian",
        ),
        "E-CRS-04": e(
            422,
            "北京54/西安80 坐标须先由测绘部门转换为 CGCS2000",
            "Beijing-54/Xi'an-80 must be converted to CGCS2000 first",
            "请由测绘部门转换",
            "Have the survey office convert it",
        ),
        "E-CRS-05": e(
            422,
            "独立/地方坐标系，不能使用({value})",
            "Local or foreign-body CRS cannot be used ({value})",
            "请转换为 CGCS2000",
            "Convert it to CGCS2000",
        ),
        "E-CRS-06": e(
            422, "经纬度数值超界({value})", "Degrees out of range ({value})", "请核对坐标系", "Check the CRS"
        ),
        "E-CRS-07": e(
            422, "疑似互联网地图偏移(约 260–280 m)，请核实", "Looks shifted like an online map (260–280 m)", "", "", w
        ),
        # Radiometry
        "E-RAD-01": e(
            422,
            "波段数为 {value}，至少需要 3 个波段",
            "Only {value} band(s); at least 3 needed",
            "单波段影像仅供存档",
            "A single-band image can only be archived",
        ),
        "E-RAD-02": e(
            422,
            "数据类型 {value} 不支持",
            "Data type {value} unsupported",
            "请转为 uint8、uint16、int16 或 float32",
            "Convert to uint8, uint16, int16 or float32",
        ),
        "E-RAD-03": e(
            422, "全部像元为 0 或常数", "All pixels are zero or constant", "请检查导出过程", "Check how it was exported"
        ),
        "E-RAD-04": e(422, "有效像元仅占 {value}%", "Only {value}% valid pixels", "", "", w),
        "E-RAD-05": e(
            422,
            "无法判断波段顺序，请指定",
            "Band order unknown; please choose",
            "上传时或用 --bands 指定，如 B,G,R,N",
            "Name it on upload or with --bands, e.g. B,G,R,N",
            w,
        ),
        "E-RAD-06": e(
            422,
            "影像已拉伸为 8 位，仅供目视",
            "Already 8-bit stretched; visual use only",
            "解译结果须谨慎使用",
            "Use the interpretation with care",
            w,
        ),
        "E-RAD-07": e(
            422,
            "缺少波段 {value}，以均值代替",
            "Band {value} is missing; its mean is used instead",
            "精度未经验证",
            "Accuracy is not known for this case",
            w,
        ),
        "E-RAD-08": e(
            422,
            "指定的波段({value})与影像波段数 {count} 不符",
            "The bands given ({value}) do not fit the image's {count}",
            "每个波段给出一个名称，如 B,G,R,N",
            "Name every band once, e.g. B,G,R,N",
        ),
        # Quality
        "E-QUA-01": e(
            422,
            "云量 {value}% 超过 20%",
            "Cloud {value}% above 20%",
            "被云遮挡的地面保持上次状态；云量超过 60% 的影像不予使用",
            "Ground under clouds keeps its last state; above 60% the scene cannot be used",
            w,
        ),
        "E-QUA-02": e(
            422,
            "雪/阴影覆盖 {value}%",
            "Snow or shadow {value}%",
            "被遮挡的地面保持上次状态",
            "The ground it hides keeps its last state",
            w,
        ),
        "E-QUA-03": e(
            422,
            "成像日期缺失或不合理({value})",
            "Acquisition date missing or impossible ({value})",
            "请补填成像日期",
            "Enter the acquisition date",
            w,
        ),
        "E-QUA-04": e(
            422,
            "不在 5–10 月({value})，结果须谨慎",
            "Outside May-October ({value}); use the result with care",
            "",
            "",
            w,
        ),
        "E-QUA-05": e(422, "镶嵌影像缺少镶嵌线时相信息", "Mosaic without seam-line dates", "", "", w),
        "E-QUA-06": e(
            422, "文件名日期与元数据不一致({value})", "Date in name and metadata differ ({value})", "", "", w
        ),
        # Observation masks
        "E-OBS-01": e(
            422,
            "观测范围的图形无效({value})",
            "The outline of the observed ground is not valid ({value})",
            "请提供不自相交的多边形(经纬度，CGCS2000)",
            "Send polygons in longitude and latitude that do not cross themselves",
        ),
        "E-OBS-02": e(
            409,
            "影像尚未处理完成，没有观测范围",
            "The scene is not prepared yet; nothing is known of what it shows",
            "请待影像检查完成后再试",
            "Wait until its checks have ended",
        ),
        # Vectors
        "E-VEC-01": e(422, "缺少 .shx 或 .dbf 文件", ".shx or .dbf part is missing"),
        "E-VEC-02": e(422, "属性编码无法识别，请选择 UTF-8 或 GBK", "Attribute encoding unknown; choose UTF-8 or GBK"),
        "E-VEC-03": e(
            422,
            "第 {value} 个图斑自相交",
            "Polygon no. {value} intersects itself",
            "请改正；或选择修复，面积变化 {difference_m2} m²",
            "Correct it, or choose the repair, which changes its area by {difference_m2} m²",
        ),
        "E-VEC-04": e(422, "第 {value} 个图斑为空", "Polygon no. {value} is empty"),
        "E-VEC-05": e(
            422,
            "缺少必填字段：{value}",
            "Required field missing: {value}",
            "请指定字段，现有：{known}",
            "Name the column; there are: {known}",
        ),
        "E-VEC-06": e(
            422,
            "图斑重叠，共 {value} m²",
            "Polygons overlap, {value} m² in all",
            "请改正；或选择按类别优先级裁切",
            "Correct them, or choose to clip by the precedence of the classes",
        ),
        "E-VEC-07": e(422, "几何类型不是面", "Geometry is not polygonal"),
        "E-VEC-08": e(422, "文件中没有记录", "The file has no records"),
        "E-VEC-09": e(
            422,
            "字段名编码损坏(中文字段名被截断)，请改用英文字段名",
            "A column name is cut in mid-character; use ASCII names",
        ),
        "E-VEC-10": e(
            422,
            "类别 {value} 无法识别",
            "Class {value} is not known",
            "请为每个类别指定对应的状态",
            "Say which state each of them means",
        ),
        "E-VEC-11": e(
            422,
            "类别“{value}”可对应多种状态：{known}",
            "Class '{value}' may mean several states: {known}",
            "请指定对应的状态",
            "Say which one is meant",
        ),
        "E-VEC-12": e(
            422,
            "文件中有多个图层：{value}",
            "The file holds several layers: {value}",
            "请指定图层",
            "Name the layer to read",
        ),
        "E-VEC-13": e(
            415,
            "无法识别的矢量格式({value})",
            "Unknown vector format ({value})",
            "请提供 Shapefile(zip)、GeoPackage、GeoJSON 或 FileGDB(zip)",
            "Provide a zipped shapefile, GeoPackage, GeoJSON or zipped file geodatabase",
        ),
        "E-VEC-14": e(
            422, "不支持的导出选项：{value}", "Cannot export as {value}", "可选：{known}", "Choose one of: {known}"
        ),
        "E-VEC-15": e(
            422,
            "矢量文件没有坐标系，请选择坐标系",
            "The vector file has no coordinate system; choose one",
            "读取时选择坐标系(如 EPSG:4490)，或附上 .prj",
            "Choose it on reading (e.g. EPSG:4490) or add a .prj",
        ),
        "E-VEC-16": e(
            422,
            "文件过大({value}，上限 {limit})",
            "The file is too large ({value}, limit {limit})",
            "请分批导入",
            "Import it in parts",
        ),
        "E-VEC-17": e(
            422,
            "矢量文件损坏，无法读取",
            "The vector file is damaged and cannot be read",
            "请重新导出",
            "Export it again",
        ),
        "E-VEC-18": e(
            422,
            "图斑不在监测区域内(中心 {value})，请检查坐标系或带号",
            "The polygons lie outside the monitored region (centre {value}); check CRS or zone",
            "请核对坐标系",
            "Check the coordinate system",
        ),
        "E-VEC-19": e(
            422,
            "未说明本次成果的调查范围",
            "What the delivery covers is not said",
            "请选择：whole(全部监测范围均已调查，无图斑处按无损毁入账)、layer(仅所附范围图层内已调查)、"
            "unknown(不清楚，无图斑处按从未观测处理)",
            "Choose: whole (all monitored ground was surveyed; ground without a polygon is booked as undamaged), layer "
            "(only the ground of a layer was), unknown (ground without a polygon counts as never observed)",
        ),
        "E-VEC-20": e(
            422,
            "调查范围不明：{value} hm² 无图斑的监测范围按从未观测入账，以后在该处发现的损毁记为“首次发现”，不计入新增",
            "What was surveyed is unknown: {value} hm² of monitored ground without a polygon count as never observed; "
            "damage found there later is booked as first seen, never as new",
            "如该次调查覆盖全部监测范围，请选择 whole，或附上范围图层",
            "If the survey covered the monitored ground choose whole, or add a layer of what it covered",
            w,
        ),
        "E-VEC-21": e(
            422,
            "{value} hm² 已调查且无图斑的监测范围按无损毁入账，以后在该处发现的损毁记为“新增”",
            "{value} hm² of surveyed ground without a polygon are booked as undamaged; damage found there later is "
            "booked as new",
            "如该次调查并未覆盖这些范围，请改选，否则以前的损毁会计为新增",
            "If the survey did not cover that ground choose otherwise, or older damage will be counted as new",
            w,
        ),
        "E-VEC-22": e(
            422,
            "水系类别 {value} 无法识别",
            "Kind of water {value} is not known",
            "可选：{known}；请逐一对应，或为全部要素指定同一类别",
            "There are: {known}; say which each of them means, or give one kind for all",
        ),
        "E-VEC-23": e(422, "未选择文件", "No file was chosen", "请选择要导入的文件", "Choose the file to import"),
        # Model choice
        "E-MOD-01": e(
            422,
            "找不到模型 {value}",
            "No model named {value}",
            "用 --model 指定已有模型：{known}",
            "Choose one of: {known}",
        ),
        "E-MOD-02": e(
            422,
            "影像分辨率 {value} m 超出模型适用范围({low}–{high} m)",
            "Ground sampling distance {value} m is outside the model's range ({low}-{high} m)",
            "结果须谨慎使用",
            "Use the result with care",
            w,
        ),
        "E-MOD-03": e(
            500,
            "模型文件损坏或与说明不符({value})",
            "Model file is damaged or differs from its card ({value})",
            "请重新安装模型文件",
            "Install the model file again",
        ),
        "E-MOD-04": e(
            422,
            "影像缺少模型所需波段 {value}",
            "The image lacks band {value}, which the model needs",
            "请换用其他模型或补充波段",
            "Choose another model or supply the band",
        ),
        "E-MOD-05": e(
            422,
            "影像比模型精细，已按 {value} m 解译",
            "The image is finer than the model; interpreted at {value} m",
            severity=w,
        ),
        "E-MOD-06": e(
            500,
            "模型 {value} 的计算结果无效(非数值)",
            "Model {value} computed something that is not a number",
            "请重试；若再次出现，请检查影像数值或更换模型",
            "Try again; if it happens again, check the image's values or choose another model",
        ),
        "E-MOD-07": e(
            500,
            "模型文件 {value} 与其说明的网络不符：{tensor}",
            "The weights {value} do not fit the network their card names: {tensor}",
            "请重新安装模型文件",
            "Install the model file again",
        ),
        "E-MOD-08": e(
            500,
            "模型文件 {value} 含非数值权重：{tensor}",
            "The weights {value} hold values that are not numbers: {tensor}",
            "请重新训练或重新安装模型文件",
            "Train the model again or install its file again",
        ),
        "E-MOD-11": e(
            422,
            "预训练权重文件 {value} 无法读取或含有张量以外的内容({reason})",
            "The file of pretrained weights {value} cannot be read or holds more than tensors ({reason})",
            "请提供 safetensors 或仅含张量的 .pth 状态字典",
            "Supply a state dict as safetensors, or as a .pth that holds tensors only",
        ),
        "E-MOD-12": e(
            422,
            "预训练权重 {value} 与网络骨干不符：{reason}",
            "The pretrained weights {value} are not those of the network's backbone: {reason}",
            "请使用同一骨干网络的 torchvision 或 timm 权重",
            "Use weights of the same backbone from torchvision or timm",
        ),
        "E-MOD-13": e(
            503,
            "无法获取骨干网络 {value} 的 ImageNet 权重",
            "ImageNet weights of backbone {value} cannot be fetched",
            "请联网重试，或以文件路径提供权重",
            "Try again with internet access, or give the path of a file of weights",
        ),
        "E-MOD-14": e(
            422,
            "计算引擎 {value} 无法在此运行({reason})",
            "The engine {value} does not run here ({reason})",
            "请改用 auto 或 eager",
            "Choose auto or eager instead",
        ),
        "E-MOD-15": e(
            422,
            "模型说明中的 {value} 无效({reason})",
            "The model's card cannot be used: {value} ({reason})",
            "请更正说明文件，或使用训练时生成的说明",
            "Correct the card, or bring the one the training wrote",
        ),
        "E-MOD-16": e(
            409,
            "这些权重已登记为 {value}",
            "These weights are registered already, as {value}",
            "无需再次登记",
            "There is no need to register them again",
        ),
        "E-MOD-17": e(
            409,
            "已有名称和版本相同的模型 {value}",
            "There is a model {value} already",
            "请更改说明中的名称或版本",
            "Change the name or the version in the card",
        ),
        "E-MOD-18": e(
            413,
            "模型文件过大({value}，上限 {limit})",
            "The model's file is too large ({value}, at most {limit})",
            "请确认文件是否为模型权重",
            "See whether it is the file of weights at all",
        ),
        "E-MOD-19": e(
            409,
            "模型当前状态为“{value}”，不能执行此操作",
            "The model is {value}; this cannot be done",
            "请刷新页面查看当前状态",
            "Reload the page to see how it stands",
        ),
        "E-MOD-20": e(
            409,
            "该模型尚未与现用模型 {value} 在同一样本集上比较",
            "It has not been compared with the promoted model {value} on the same sample set",
            "请先进行比较",
            "Compare them first",
        ),
        "E-MOD-21": e(
            422,
            "比较结果不支持启用 {value}，须写明理由",
            "The comparison speaks against {value}; a written reason is needed",
            "请写明仍要启用的理由，或保留现用模型",
            "Say why it is to be used all the same, or keep the promoted model",
        ),
        "E-MOD-22": e(
            409,
            "{value} 是最后一个现用模型，不能停用",
            "{value} is the last promoted model; it cannot be retired",
            "请先启用另一个模型",
            "Promote another one first",
        ),
        "E-MOD-23": e(
            422,
            "样本集不适合模型 {value}({reason})",
            "The sample set does not suit model {value} ({reason})",
            "请选用分辨率和波段相符的样本集",
            "Choose a set of its resolution and bands",
        ),
        "E-MOD-24": e(
            422,
            "样本集 {value} 没有训练、验证、测试三个集合",
            "Sample set {value} has no sets for training, validation and test",
            "请用默认的 6:2:2 划分生成样本集，而不是交叉验证折",
            "Build one with the default split 6:2:2 instead of folds, and with enough regions",
        ),
        "E-MOD-25": e(
            422,
            "停用模型须写明理由",
            "Retiring a model needs a reason",
            "请填写理由",
            "Write the reason",
        ),
        # Training
        "E-TRN-01": e(
            507,
            "{device} 显存或内存不足：批量 {batch}({shape})放不下，批量 {fits} 可以",
            "Out of memory on {device}: a batch of {batch} ({shape}) does not fit, {fits} does",
            "请将批量改为 {fits}，或缩小瓦片",
            "Train with a batch of {fits}, or with smaller tiles",
        ),
        "E-TRN-02": e(
            507,
            "{device} 显存或内存不足：批量 {batch}({shape})放不下，更小的批量也不行",
            "Out of memory on {device}: a batch of {batch} ({shape}) does not fit, nor does any smaller one",
            "请缩小瓦片，或换用更小的网络、更大的设备",
            "Take smaller tiles, a smaller network or a larger device",
        ),
        "E-TRN-03": e(
            500,
            "训练状态文件损坏：{value}",
            "The saved state of the training is damaged: {value}",
            "请删除该文件并重新开始训练",
            "Remove the file and start the training anew",
        ),
        "E-TRN-04": e(
            409,
            "{value} 中保存的是另一次训练({found})，不是 {wanted}",
            "{value} holds another training ({found}), not {wanted}",
            "请换用其他目录，或去掉 --resume 重新开始",
            "Use another folder, or start anew without --resume",
        ),
        "E-TRN-05": e(
            500,
            "训练在第 {step} 步反复出现非数值的损失或梯度",
            "At step {step} the loss or its gradient is not a number, again and again",
            "请降低学习率，并检查样本数值",
            "Lower the learning rate and check the samples' values",
        ),
        "E-TRN-06": e(
            422,
            "批量 {batch} 不能平均分给 {processes} 个进程",
            "A batch of {batch} cannot be shared evenly by {processes} processes",
            "请取进程数的整数倍作为批量",
            "Take a batch that is a multiple of the number of processes",
        ),
        "E-TRN-07": e(
            422,
            "没有名为 {value} 的计算设备",
            "There is no device {value}",
            "请用 --device cpu，或检查显卡驱动",
            "Use --device cpu, or check the driver of the graphics card",
        ),
        "E-TRN-08": e(
            409,
            "{value} 是以前训练的结果，不会被覆盖",
            "{value} is the result of an earlier training and is not overwritten",
            "用 --resume 继续，用 --anew 放弃旧结果，或换用其他目录",
            "Go on with --resume, throw it away with --anew, or choose another folder",
        ),
        "E-TRN-09": e(
            422,
            "找不到训练数据 {value}",
            "The training data {value} is not there",
            "请用 MINEGIS_DATA 或 --data 指定数据目录",
            "Say where it lies with MINEGIS_DATA or --data",
        ),
        "E-TRN-10": e(
            422,
            "样本集 {value} 的 {set} 集没有切片",
            "Set {set} of {value} holds no tile",
            "请重新划分样本，或补充标注",
            "Split the samples again, or label more",
        ),
        "E-TRN-11": e(
            422,
            "网络 {value} 无法建立：{reason}",
            "The network {value} cannot be built: {reason}",
            "请更换骨干网络或波段",
            "Choose another backbone or other bands",
        ),
        "E-TRN-12": e(
            422,
            "批量 {batch} 过小，归一化层至少需要 {least}",
            "A batch of {batch} is too small; the norms need {least}",
            "请增大批量；显存不足时缩小瓦片",
            "Take a larger batch, and smaller tiles if memory is short",
        ),
        "E-TRN-13": e(
            422,
            "{value} 只能与 --samples 一起使用",
            "{value} goes with --samples only",
            "配方已规定其内容；请去掉该选项",
            "A recipe has its own; leave it out",
        ),
        "E-TRN-14": e(
            422,
            "训练参数 {value} 无效",
            "This cannot be chosen for a training: {value}",
            "可用值：{known}",
            "It can be: {known}",
        ),
        "E-TRN-15": e(
            422,
            "{value} 中没有含红、绿、蓝波段的影像",
            "There is no image with red, green and blue in {value}",
            "请指定含真彩色影像的文件或目录",
            "Name files or folders of images that hold these bands",
        ),
        # Output of the command line
        "E-OUT-01": e(
            422,
            "无法写入 {value}",
            "Cannot write {value}",
            "请检查目录是否存在、是否可写",
            "Check that the folder exists and can be written to",
        ),
        "E-OUT-02": e(
            507,
            "磁盘已满，无法写入(剩余 {free})",
            "The disk is full, nothing more can be written ({free} left)",
            "请腾出空间后再次执行；使用 --resume 目录 时已完成的部分不会重算",
            "Free some space and run the command again; with --resume DIR nothing finished is computed again",
        ),
        "E-OUT-03": e(
            422,
            "{value} 不能用作多景影像的输出",
            "{value} cannot take the rasters of several images",
            "多景影像各自输出栅格，请给出一个文件夹",
            "Each image gets a raster of its own: name a folder",
        ),
        "E-OUT-04": e(
            422,
            "不支持的输出格式：{value}",
            "Unknown format to write: {value}",
            "请使用扩展名 {known}",
            "Use one of the extensions {known}",
        ),
        # Deliveries
        "E-DEL-01": e(
            409,
            "该版本尚未核算，不能生成成果",
            "The edition has not been computed; nothing can be made of it",
            "请先核算该版本",
            "Compute the edition first",
        ),
        "E-DEL-02": e(
            422,
            "成果选项无效：{value}",
            "Not a valid option of a delivery: {value}",
            "请检查选项名称与取值",
            "Check the option's name and value",
        ),
        "E-DEL-03": e(
            409,
            "成果尚未生成完毕",
            "The delivery is not ready",
            "请稍后再下载，或查看任务状态",
            "Try again later, or look at its job",
        ),
        # Jobs
        "E-AOI-01": e(
            422,
            "无法从 {value} 读取范围面",
            "{value} gives no area: it cannot be read, names no coordinate system or holds no polygon",
            "请提供带坐标系的面图层({known})",
            "Give a layer of polygons with its coordinate system ({known})",
        ),
        "E-AOI-02": e(
            422,
            "影像与所需范围没有重叠",
            "The image shows nothing of the wanted ground",
            "请检查范围面的坐标系与位置；镶嵌时，该影像可能已被优先的影像完全覆盖",
            "Check the area's coordinate system and place; in a mosaic, images ahead of this one may cover all of it",
        ),
        "E-JOB-01": e(409, "任务当前状态为 {state}，不能执行此操作", "The job is {state}; this cannot be done now"),
        "E-JOB-02": e(
            500,
            "任务尝试 {value} 次仍未完成(工作进程多次中断)",
            "The job did not finish in {value} attempts (its worker died each time)",
            "可能内存不足，请联系管理员",
            "Memory may be short; ask the administrator",
        ),
        "E-JOB-03": e(409, "该任务已由另一工作进程接管", "Another worker has taken over this job"),
        "E-JOB-04": e(409, "任务已取消", "The job was cancelled"),
        "E-JOB-05": e(
            500,
            "任务因内部错误失败({value})",
            "The job failed with an internal error ({value})",
            "请将任务编号告知管理员",
            "Give the job number to the administrator",
        ),
        "E-JOB-06": e(
            500,
            "内存不足，任务无法完成",
            "The job ran out of memory",
            "请分幅后重试，或联系管理员增加内存",
            "Split the image and try again, or ask the administrator for more memory",
        ),
        "E-JOB-07": e(422, "没有名为 {value} 的任务类型", "No job kind named {value}"),
        "E-JOB-08": e(
            500,
            "一个工作进程异常结束(状态 {value})，其分块由其余进程完成",
            "A worker process ended with status {value}; the others do its blocks",
            "若结果迟迟不出，请减少 --workers(内存可能不足)",
            "If the others end too, take fewer --workers: memory may be short",
            severity=w,
        ),
        # Register
        "E-REG-01": e(
            422,
            "该位置不属于任何已登记的行政区",
            "No registered region covers this place",
            "请先登记行政区或指定所属行政区",
            "Register the region first or name one",
        ),
        "E-REG-02": e(
            422,
            "没有代码为 {value} 的行政区",
            "No region has the code {value}",
            "请使用已登记行政区的 GB/T 2260 代码",
            "Give the GB/T 2260 code of a registered region",
        ),
        "E-REG-03": e(
            422,
            "视频流地址不可用，须以 {value} 之一开头并含主机名",
            "Not the address of a stream: it begins with one of {value} and names a host",
            "例如 rtsp://主机:554/路径",
            "For example rtsp://host:554/path",
        ),
        "E-REG-04": e(409, "编号 {value} 已被使用", "The code {value} is taken", "请换一个编号", "Choose another code"),
        "E-REG-05": e(
            422, "缺少行政区或矿山", "Region or mine is missing", "请选择矿山或行政区", "Choose a mine or a region"
        ),
        "E-REG-06": e(
            422,
            "摄像头主机不在允许的网段内({value})，或无法解析",
            "The camera's host is outside the allowed networks ({value}), or nobody knows it",
            "请核对地址；允许的网段由管理员在 CAMERA_NETWORKS 中设定",
            "Check the address; administrators set the allowed networks in CAMERA_NETWORKS",
        ),
        # Check samples
        "E-GND-01": e(
            409,
            "该文件已导入本行政区的水系图层({value})",
            "This file is in the region's hydrography already ({value})",
            "如需更正，请先删除或终止原有要素",
            "To correct it, remove or end what it brought first",
        ),
        "E-GND-02": e(
            422,
            "替换原有水系须给出生效日期",
            "A delivery that replaces the present waters needs the day it holds from",
        ),
        "E-GND-03": e(
            422,
            "终止日期({value})早于生效日期",
            "It would end ({value}) before it begins",
        ),
        "E-GND-04": e(
            409,
            "该归属判定已撤回",
            "The decision about this ground has been withdrawn already",
        ),
        "E-GND-05": e(
            422,
            "所选范围不在 {value} 的监测区域内",
            "The outline does not meet the region of {value}",
            "请检查坐标",
            "Check the coordinates",
        ),
        "E-SAM-01": e(
            422,
            "该版台账中没有已观测的地块，无法抽样",
            "The edition has no observed ground to sample",
            "请先计算该年度台账",
            "Compute the edition first",
        ),
        "E-SAM-02": e(422, "样本点数 {value} 应在 {least} 至 {most} 之间", "{value} points: take {least} to {most}"),
        "E-SAM-03": e(
            422, "没有名为 {value} 的判读类别", "No label named {value}", "可用：{known}", "Use one of: {known}"
        ),
        "E-SAM-04": e(
            409,
            "{value} 号样本点已由两人判读或已裁定",
            "Point {value} has been labelled by two people or settled",
            "请判读下一个样本点",
            "Go on with the next point",
        ),
        "E-SAM-06": e(
            409,
            "{value} 号样本点由您判读过，不能由您裁定",
            "You labelled point {value}; somebody else must settle it",
            "请由另一位人员裁定",
            "Ask another person",
        ),
        "E-SAM-05": e(
            409,
            "{value} 号样本点没有分歧，无需裁定",
            "Point {value} has no disagreement to settle",
            "需两人判读且结果不同",
            "Two people must have labelled it differently",
        ),
        # Sample sets
        "E-SET-01": e(
            422,
            "没有任何可用的标注，无法生成样本",
            "Nothing is labelled here; there is nothing to make samples of",
            "请检查图斑与影像是否对应、类别是否正确",
            "Check that the polygons belong to these images and that their classes are right",
        ),
        "E-SET-02": e(
            422,
            "以下类别没有样本：{value}",
            "Classes without a sample: {value}",
            "模型学不到这些类别，请补充标注",
            "A model cannot learn them; label some",
            w,
        ),
        "E-SET-03": e(
            422,
            "样本只来自 {value} 个互不重叠的区域，至少需要 {least} 个才能划分",
            "The samples come from {value} separate region(s); a split needs {least} at least",
            "请增加其他矿山或影像的标注；同一区域的样本不能分到不同集合",
            "Add labels of other mines or images; one region must never lie in two sets",
        ),
        "E-SET-04": e(
            422,
            "图斑文件使用了不同的坐标系：{value}；已逐一转换到影像坐标系",
            "The polygons come in several coordinate systems: {value}; each was moved to that of its image",
            "如有文件坐标系标错，请改正后重新导入",
            "Where one is named wrongly, correct it and import again",
            w,
        ),
        "E-SET-05": e(
            422,
            "标注栅格 {value} 与影像的坐标系不同({label}，影像 {image})，标注不作重投影",
            "Label raster {value} has another coordinate system than its image ({label}, image {image}); "
            "labels are never reprojected",
            "请在影像的坐标系和格网上制作标注",
            "Make the labels on the grid of the image",
        ),
        "E-SET-06": e(
            422,
            "图斑重叠 {value} m²，重叠处按类别优先级取舍",
            "Polygons overlap by {value} m²; there the precedence of the classes decides",
            "优先级：尾矿库、水域、露天采场、堆放场、工业广场、生活区、植被",
            "Precedence: tailings pond, water, open pit, stockpile, industrial square, living area, vegetation",
            w,
        ),
        "E-SET-07": e(
            422,
            "{value} 个图斑不在任何影像范围内，共 {area} m²",
            "{value} polygons lie outside every image, {area} m² in all",
            "请检查坐标系，或选择覆盖这些图斑的影像",
            "Check the coordinate system, or choose images that show them",
            w,
        ),
        "E-SET-08": e(
            422,
            "标注栅格 {value} 含未知的类别值：{known}",
            "Label raster {value} holds unknown class values: {known}",
            "请为这些值指定类别(如 --map 1=tailings_pond)，或改为 255(不确定)",
            "Say which class each means (e.g. --map 1=tailings_pond), or make them 255 (unsure)",
        ),
        "E-SET-09": e(
            422,
            "{value} 个小于 {limit} 个像元的碎图斑已舍去",
            "{value} slivers of less than {limit} pixels were dropped",
            severity=w,
        ),
        "E-SET-10": e(
            422,
            "{value} 个自相交图斑已修复，面积变化 {difference} m²",
            "{value} polygons that intersect themselves were repaired, which changes {difference} m²",
            "请核对修复结果",
            "Look at the result",
            w,
        ),
        "E-SET-11": e(
            409,
            "样本泄漏：区域 {value} 同时出现在 {sets} 中",
            "Leak: region {value} lies in {sets}",
            "请重新划分样本",
            "Split the samples again",
        ),
        "E-SET-12": e(
            409,
            "样本泄漏：{value} 与 {other} 属于不同集合，但地面相距仅 {distance} m(至少 {least} m)",
            "Leak: {value} and {other} are in different sets, but only {distance} m of ground lie between them "
            "({least} m at least)",
            "请重新划分样本",
            "Split the samples again",
        ),
        "E-SET-13": e(
            409,
            "样本泄漏：{value} 与 {other} 几乎相同，却属于不同集合",
            "Leak: {value} and {other} are nearly the same picture, but in different sets",
            "请检查是否有影像被重复使用或改名",
            "See whether an image was used twice, perhaps under another name",
        ),
        "E-SET-14": e(
            422,
            "{set} 集偏小：{regions} 个区域(宜 ≥ {least_regions})，{ponds} 个尾矿库图斑(宜 ≥ {least_ponds})",
            "Set {set} is small: {regions} regions ({least_regions} or more are wanted), {ponds} tailings ponds "
            "({least_ponds} or more)",
            "精度指标会不稳定；可改用按区域的交叉验证",
            "Its figures will be unsteady; cross-validation by region is an alternative",
            w,
        ),
        "E-SET-15": e(
            409,
            "目标目录 {value} 已有内容，样本集不会被覆盖",
            "{value} is not empty; a sample set is never overwritten",
            "请选择新的目录",
            "Choose a new folder",
        ),
        "E-SET-16": e(
            422,
            "样本集已损坏或不完整：{value}",
            "The sample set is damaged or incomplete: {value}",
            "请重新生成样本集",
            "Build the sample set again",
        ),
        "E-SET-17": e(
            422,
            "为使各集合相距至少 {distance} m，舍去 {value} 个切片",
            "{value} tiles were left out to keep {distance} m of ground between the sets",
            severity=w,
        ),
        "E-SET-18": e(
            422,
            "{value} 个切片与另一集合中的切片几乎相同，已从训练集舍去",
            "{value} tiles look nearly the same as one of another set and were left out",
            "可能有影像被重复使用或改名",
            "An image may have been used twice, perhaps under another name",
            w,
        ),
        "E-SET-19": e(
            422,
            "按原论文方式划分(先增强、后随机)，训练与测试样本互相泄漏，指标不可信",
            "Split as in the source paper (augmented, then drawn at random): the sets leak, their figures mean nothing",
            "仅用于复现论文；请改用按区域划分",
            "Use it to reproduce the paper only; split by region otherwise",
            w,
        ),
        "E-SET-20": e(
            422,
            "影像 {value} 缺少波段 {bands}",
            "Image {value} lacks band {bands}",
            "请选择各影像共有的波段，或指明波段顺序",
            "Choose bands that every image has, or say which band is which",
        ),
        "E-SET-21": e(
            422,
            "未给出调查范围：图斑以外的地面视为未标注，不作为背景",
            "No surveyed ground was given: ground outside the polygons counts as unlabelled, not as background",
            "请给出调查范围(矿山或监测区边界)，否则模型学不到背景",
            "Give its outline (of mines or monitored areas), or the model will not learn the background",
            w,
        ),
        "E-SET-22": e(
            422,
            "找不到影像 {value} 的标注栅格",
            "No label raster for image {value}",
            "标注栅格须与影像同名",
            "Label rasters carry the names of their images",
        ),
        "E-SET-23": e(
            422,
            "标注栅格 {value} 与影像格网不一致({label}，影像 {image})",
            "Label raster {value} lies on another grid than its image ({label}, image {image})",
            "请在影像的格网上制作标注",
            "Make the labels on the grid of the image",
        ),
        "E-SET-24": e(
            422,
            "样本参数无效：{value}",
            "Not a valid parameter of a sample set: {value}",
            "可用：{known}",
            "Allowed: {known}",
        ),
        "E-SET-25": e(
            422,
            "{value} 个地面塌陷图斑不参与训练，其范围视为未标注",
            "{value} subsidence polygons are not trained; their ground counts as unlabelled",
            severity=w,
        ),
        "E-SET-26": e(
            422,
            "集合 {set} 缺少以下类别：{value}",
            "Set {set} lacks the classes {value}",
            "该集合无法评价这些类别",
            "It can say nothing about them",
            w,
        ),
        "E-SET-27": e(
            422,
            "没有可用的影像",
            "There is no image to cut samples from",
            "请先上传并检查影像",
            "Upload images first and let them be checked",
        ),
        "E-SET-28": e(
            422,
            "集合 {value} 没有任何带标注的切片",
            "Set {value} ended up without a labelled tile",
            "可减小集合间距，或增加其他区域的标注",
            "Ask for less distance between the sets, or label more regions",
        ),
        "E-SET-29": e(
            409,
            "样本集当前状态为“{value}”，尚不能使用",
            "The sample set is {value}; it cannot be used yet",
            "请等待生成完毕，或查看任务状态",
            "Wait until it is built, or look at its job",
        ),
        # Labels on superpixels
        "E-LAB-01": e(
            422,
            "窗口或超像素大小 {value} 超出范围",
            "{value} is no allowed size of a window or superpixel",
            "可用：{known}",
            "Allowed: {known}",
        ),
        "E-LAB-02": e(
            422,
            "窗口内没有影像数据",
            "The image has no data in this window",
            "请另选位置",
            "Choose another place",
        ),
        "E-LAB-03": e(
            422,
            "没有这样的超像素或标注：{value}",
            "No such superpixel or label: {value}",
            "可用：{known}",
            "Allowed: {known}",
        ),
        "E-LAB-04": e(
            409,
            "标注图版当前状态为“{value}”，尚不能标注",
            "The label plate is {value}; it cannot be labelled yet",
            "请等待切分完毕，或查看任务状态",
            "Wait until it is cut, or look at its job",
        ),
        "E-LAB-05": e(
            422,
            "所选影像上还没有超像素标注",
            "Nothing has been labelled on superpixels of these images yet",
            "请先在“模型 ▸ 标注”中标注",
            "Label some under Models ▸ Labels first",
        ),
        "E-LAB-06": e(
            422,
            "位置 {value} 不在影像范围内",
            "{value} is no place on the image",
            "请输入影像内的经度、纬度，或留空",
            "Give longitude, latitude on the image, or leave it empty",
        ),
        "E-LAB-07": e(
            422,
            "该影像不能用于标注",
            "This scene cannot be labelled",
            "只有通过检查的影像可以标注",
            "Only scenes that passed the checks can",
        ),
        # Accounting
        "E-ACC-01": e(
            500,
            "账目不平：恒等式 {identity} 不成立（{value}）",
            "The books do not balance: identity {identity} fails ({value})",
            "请将此消息连同年份和矿山告知系统管理员",
            "Tell the administrator this message with the year and the mine",
        ),
        "E-ACC-02": e(
            409,
            "图斑 {piece} 不能作出“{value}”的决定",
            "Piece {piece} cannot be decided as {value}",
            "该图斑不存在或类型不符，请刷新页面",
            "It is not there or of another kind; reload the page",
        ),
        "E-ACC-03": e(
            500,
            "上年账与监测单元范围不符，相差 {value} m²",
            "Last year's book does not fit the unit's ground, by {value} m²",
            "请按本年监测范围重新划分上年账",
            "Share last year's cells out to this year's units again",
        ),
        # Editions, decisions and their evidence
        "E-EDI-01": e(
            409,
            "该版本当前状态为“{state}”，不能执行此操作",
            "The edition is {state}; this cannot be done now",
            "请刷新页面查看当前状态",
            "Reload to see where it stands",
        ),
        "E-EDI-02": e(
            409,
            "{year} 年已有未发布的版本({version}，{state})",
            "An edition of {year} is already open ({version}, {state})",
            "请先发布或删除该版本",
            "Publish or discard that one first",
        ),
        "E-EDI-03": e(
            409,
            "还有 {value} 处新发现的损毁未判定",
            "{value} newly seen changes are undecided",
            "请先在判定队列中逐一或批量判定",
            "Decide them in the queue first, one by one or in bulk",
        ),
        "E-EDI-04": e(
            409,
            "还有 {value} 处水体来源未定",
            "The origin of {value} waters is undecided",
            "请在“水体来源”页确定其为采坑积水、尾矿水或天然水体，然后重新核算",
            "On the page of waters say whether they are pit water, tailings water or natural, then compute again",
        ),
        "E-EDI-05": e(
            403,
            "不能判定本人绘制或编辑的图斑",
            "You drew or edited this; another reviewer must decide it",
            "请由另一位审核员判定",
            "Ask another reviewer",
        ),
        "E-EDI-06": e(
            403,
            "本人判定过该版本的图斑，不能发布",
            "You decided changes of this edition and cannot publish it",
            "请由另一位管理负责人发布",
            "Another manager must publish it",
        ),
        "E-EDI-07": e(422, "判定为“{value}”须说明理由", "The decision “{value}” needs a reason"),
        "E-EDI-08": e(
            422,
            "治理须注明方式并至少附一份证据",
            "Restored ground needs a mode and at least one piece of evidence",
            "请上传验收文件或照片",
            "Upload the acceptance document or a photo",
        ),
        "E-EDI-09": e(
            422,
            "“{value}”不是此类图斑可用的判定",
            "“{value}” is no decision for this kind of change",
            "可用：{known}",
            "Use one of: {known}",
        ),
        "E-EDI-10": e(
            409,
            "估计偏差为新增面积的 {value}%，超过 20%，须管理负责人签认",
            "The estimated bias is {value}% of the new area, above 20%: the manager must sign for it",
            "签认后方可发布",
            "Publish with the signature, or improve the imagery",
        ),
        "E-EDI-11": e(422, "发布新版本须填写变更说明", "A new version of a published year needs a change note"),
        "E-EDI-12": e(
            409, "该版本尚未核算", "The edition has not been computed", "请先运行核算", "Run the account first"
        ),
        "E-EDI-13": e(
            422,
            "该区域没有监测范围(矿山影响范围或补充范围)",
            "The region has no monitored ground (influence zones or additions)",
            "请先登记矿山范围",
            "Register the mines' boundaries first",
        ),
        "E-EDI-14": e(
            415,
            "证据文件须为 PDF、JPEG、PNG 或 Word 文档(实为 {value})",
            "Evidence must be PDF, JPEG, PNG or a Word document (this is {value})",
            "请转换后上传",
            "Convert it and upload again",
        ),
        "E-EDI-15": e(
            413,
            "证据文件超过 {limit}",
            "The evidence file is larger than {limit}",
            "请压缩后上传",
            "Make it smaller and upload again",
        ),
        "E-EDI-16": e(
            500,
            "重新计算的哈希值({found})与版本记录({value})不一致",
            "The recomputed hash ({found}) differs from the edition's ({value})",
            "请联系管理员核查",
            "Ask the administrator to investigate",
        ),
        "E-EDI-17": e(
            409,
            "该区域的工作进程正在核算此版本",
            "The account of this edition is being computed",
            "请等待任务结束",
            "Wait for the job to end",
        ),
        "E-EDI-18": e(
            409,
            "所依据的上年版本为“{state}”，不能使用",
            "The edition below is {state} and cannot be built upon",
            "请先冻结上年版本",
            "Freeze last year's edition first",
        ),
        "E-EDI-19": e(
            409,
            "塌陷记录当前状态为“{state}”，不能执行此操作",
            "The subsidence is {state}; this cannot be done now",
        ),
        "E-EDI-20": e(422, "该年份已有版本，不能导入期初台账", "The year already has an edition; no opening book fits"),
        "E-EDI-21": e(422, "须说明理由", "A reason is needed"),
        "E-EDI-22": e(422, "几何图形无效：{value}", "The outline is not valid: {value}"),
        "E-EDI-24": e(
            422,
            "终止日期({value})早于调查日期",
            "It would end ({value}) before it was surveyed",
        ),
        "E-EDI-30": e(
            409,
            "还有 {value} 处模型识别的尾矿库未经人工复核：{places}",
            "{value} tailings ponds found by the model have not been reviewed: {places}",
            "请在“尾矿库复核”页逐一确认或改判",
            "Confirm or correct each of them on the page of tailings ponds",
        ),
        "E-EDI-31": e(
            409,
            "核算之后又有 {value} 处图斑经人工改判，尚未计入台账",
            "{value} patches were reviewed as something else after the computation; the book does not know them yet",
            "请重新核算",
            "Compute again",
        ),
        "E-EDI-25": e(
            409,
            "上级或下级行政区 {value} 已有台账，同一地块只能记入一本台账",
            "{value}, a region above or below, keeps books; ground belongs to one book only",
            "请在该行政区的台账中按本行政区筛选",
            "Use that region's books and filter by this one",
        ),
        "E-EDI-23": e(
            409,
            "比较了不同传感器的影像，但控制图斑不足，无法估计偏差，须管理负责人签认",
            "Unlike sensors were compared and too few control polygons measured the bias: the manager must sign for it",
            "请补充控制图斑后重新核算，或签认后发布",
            "Add control polygons and compute again, or publish with the signature",
        ),
        # Enhancement of images and videos
        "E-ENH-01": e(
            422,
            "参数 {field} = {value} 超出范围，已取 {kept}",
            "{field} = {value} is out of range; {kept} is used",
            severity=w,
        ),
        "E-ENH-02": e(
            422,
            "参数 {field} 不能为 {value}",
            "{field} cannot be {value}",
            "请查看参数说明",
            "See the list of parameters",
        ),
        "E-ENH-03": e(
            422,
            "不是可用的图像帧({value})",
            "Not a usable frame ({value})",
            "须为三通道 8 位、9 至 16 位整数或 0 至 1 的浮点图像",
            "It takes three channels of 8 bits, of 9 to 16 bits, or of floats between 0 and 1",
        ),
        "E-ENH-04": e(
            422,
            "画面过暗(平均亮度 {luma})，暗通道先验不适用，未作去雾",
            "Too dark (mean luma {luma}) for the dark channel prior; left as it is",
            "夜间画面请用夜间增强，或关闭夜间检查",
            "Use the night enhancement, or turn the night gate off",
            severity=w,
        ),
        "E-ENH-05": e(
            422,
            "画面没有雾(平均暗通道 {dark})，未作处理",
            "No haze to take away (mean dark channel {dark}); left as it is",
            severity=w,
        ),
        "E-ENH-06": e(
            422,
            "不是可用的感知度量权重文件：{value}",
            "Not a usable file of weights for the perceptual measure: {value}",
            "须为 torchvision 网络的状态字典和 LPIPS v0.1 线性层",
            "It takes a state dict of torchvision's network and the linear heads of LPIPS v0.1",
        ),
        "E-ENH-07": e(
            422,
            "图像文件已损坏或无法读取：{value}",
            "The image is damaged or cannot be read: {value}",
            "请重新导出或上传",
            "Export or send it again",
        ),
        "E-ENH-08": e(
            415,
            "不是图像文件：{value}",
            "Not an image: {value}",
            "可用 JPEG、PNG、WebP、BMP、TIFF",
            "Use JPEG, PNG, WebP, BMP or TIFF",
        ),
        "E-ENH-09": e(
            422,
            "{value} 实为 {kind}，扩展名不符，已按内容读取",
            "{value} is {kind}, unlike its suffix; read as what it is",
            severity=w,
        ),
        "E-ENH-10": e(
            422,
            "图像过大或类型不受支持({value})",
            "The image is too large or of a kind that cannot be used ({value})",
            "须不超过 2 亿像素、一至四个通道、8 至 16 位",
            "It takes up to 200 million pixels, one to four channels, 8 to 16 bits",
        ),
        "E-ENH-11": e(
            422,
            "{value} 含透明通道，原样保留",
            "{value} has an alpha channel, which is kept as it is",
            severity=w,
        ),
        "E-ENH-12": e(
            422,
            "输出格式无法保存该图像({value})",
            "The output format cannot hold this image ({value})",
            "16 位或透明图像请用 PNG 或 TIFF",
            "Use PNG or TIFF for 16 bits or alpha",
        ),
        "E-ENH-13": e(
            422,
            "文件夹中没有图像或视频：{value}",
            "No image or video in the folder {value}",
            "请检查路径",
            "Check the path",
        ),
        "E-ENH-14": e(
            422,
            "输出不能覆盖输入：{value}",
            "The output would overwrite the input: {value}",
            "请另选输出位置",
            "Choose another place",
        ),
        "E-ENH-15": e(
            503,
            "夜间增强的权重文件未安装：{value}",
            "The weights of the night enhancement are not installed: {value}",
            "请将权重文件及其同名 .json 说明放回安装目录的 enhancement/weights/；命令行也可用 --weights 指定其他文件",
            "Put the weights and the .json card of the same name back into enhancement/weights/ of the installation; "
            "a command takes others by --weights",
        ),
        "E-ENH-16": e(
            422,
            "{total} 帧中有 {value} 帧既不暗也没有雾，未作处理",
            "{value} of {total} frames are neither dark nor hazy; left as they are",
            severity=w,
        ),
        "E-ENH-17": e(
            422,
            "按本机测得的速度，约需 {needed}，超过单项作业的上限({limit})",
            "At the speed measured on this machine it would take about {needed}, longer than a job may ({limit})",
            "请剪短视频或降低其尺寸后上传，或由有图形处理器的工作节点处理",
            "Upload a shorter or smaller clip, or have a worker with a graphics processor do it",
        ),
        "E-VID-01": e(
            422,
            "视频文件已损坏或不是视频：{value}",
            "The video is damaged, or no video: {value}",
            "请重新导出或上传",
            "Export or send it again",
        ),
        "E-VID-02": e(
            415,
            "不支持的视频格式或编码({value})",
            "A video format or codec that cannot be used ({value})",
            "可用 MP4、MOV、MKV、AVI、TS 中的 H.264、H.265 或 MJPEG",
            "Use H.264, H.265 or MJPEG in MP4, MOV, MKV, AVI or TS",
        ),
        "E-VID-03": e(
            422,
            "文件中没有画面，只有声音：{value}",
            "The file has no picture, only sound: {value}",
            "请选择视频文件",
            "Choose a video",
        ),
        "E-VID-04": e(
            422,
            "视频中没有可用的帧：{value}",
            "The video has no frame that can be used: {value}",
            "请重新导出或上传",
            "Export or send it again",
        ),
        "E-VID-05": e(
            422,
            "画面尺寸 {value} 为奇数，已补一行或一列",
            "The size {value} is odd; a row or column is repeated",
            severity=w,
        ),
        "E-VID-06": e(
            422,
            "视频位深高于 8 位({value})，输出为 8 位",
            "The video has more than 8 bits ({value}); the result has 8",
            severity=w,
        ),
        "E-VID-07": e(
            422,
            "视频含透明通道({value})，输出不保留",
            "The video has an alpha channel ({value}), which the result has not",
            severity=w,
        ),
        "E-VID-08": e(
            422,
            "视频没有可用的时间戳，按每秒 {value} 帧计",
            "The video has no usable timestamps; {value} frames per second are assumed",
            severity=w,
        ),
        "E-VID-09": e(
            500,
            "帧数不符：分析 {expected}，输出 {found}",
            "Frames do not agree: {expected} analysed, {found} written",
            "文件在处理期间可能被更改，请重试",
            "The file may have changed meanwhile; try again",
        ),
        "E-VID-10": e(
            422,
            "视频中 {value} 帧已损坏，已跳过",
            "{value} frames of the video are damaged and left out",
            severity=w,
        ),
        "E-VID-11": e(
            422,
            "{total} 帧中有 {value} 帧过暗或没有雾，未作处理",
            "{value} of {total} frames are too dark or show no haze; left as they are",
            severity=w,
        ),
        "E-VID-12": e(
            422,
            "视频只能输出为 MP4：{value}",
            "Videos are written as MP4: {value}",
            "请将输出文件命名为 .mp4",
            "Name the output .mp4",
        ),
        "E-VID-13": e(
            422,
            "{value} 实为 {kind}，扩展名不符，已按内容读取",
            "{value} is {kind}, unlike its suffix; read as what it is",
            severity=w,
        ),
        "E-VID-14": e(
            422,
            "该视频已存在(编号 {clip})",
            "This clip is here already (id {clip})",
            "直接打开已有视频即可",
            "Open the existing clip instead",
        ),
        "E-VID-15": e(
            422,
            "无法确定视频所属行政区",
            "It is not known to which region the clip belongs",
            "请选择摄像头、矿山或行政区",
            "Choose a camera, a mine or a region",
        ),
        "E-VID-16": e(
            409,
            "视频当前状态为 {state}，不能执行此操作",
            "The clip is {state}; this cannot be done now",
            "请等待检查完成，或重新上传",
            "Wait until it has been checked, or upload it again",
        ),
        "E-VID-17": e(
            422,
            "该时刻没有画面({value} 秒)",
            "There is no frame at {value} s",
            "请选择视频时长以内的时刻",
            "Choose a moment within the clip",
        ),
        "E-VID-18": e(
            409,
            "该视频有固定为证据的画面或正在增强，不能删除",
            "Frames of this clip are evidence, or it is being enhanced; it cannot be deleted",
            "请先取消任务；证据画面须保留",
            "Cancel the job first; evidence is kept",
        ),
        "E-VID-19": e(
            409,
            "相同参数的增强正在进行或已完成(编号 {value})",
            "The same enhancement is under way or done (id {value})",
            "打开已有结果，或更改参数",
            "Open that result, or change a parameter",
        ),
        "E-VID-20": e(
            422,
            "矿山 {value} 不在该视频的行政区内",
            "The mine {value} is not in the clip's region",
            "请选择该行政区内的矿山",
            "Choose a mine of that region",
        ),
        "E-VID-21": e(
            422,
            "摄像头 {value} 没有登记视频流地址",
            "The camera {value} has no stream address",
            "请由审核员或管理负责人登记 rtsp 或 rtmp 地址",
            "A reviewer or manager enters its rtsp or rtmp address",
        ),
        # Doors
        "E-API-01": e(400, "请求内容有误", "The request is not valid", "请按提示改正字段", "Correct the fields named"),
        "E-API-02": e(401, "请先登录", "Sign in first", "", ""),
        "E-API-03": e(
            403,
            "没有权限执行此操作",
            "You may not do this",
            "请联系管理员开通权限",
            "Ask the administrator for the role",
        ),
        "E-API-04": e(
            404, "没有找到", "Not found", "可能已删除或不在您的辖区", "It may be deleted or outside your region"
        ),
        "E-API-05": e(405, "不支持的请求方法", "Method not allowed"),
        "E-API-06": e(409, "内容已被他人修改，请刷新后重试", "Somebody changed this meanwhile; reload and try again"),
        "E-API-07": e(429, "请求过于频繁", "Too many requests", "稍候再试", "Try again in a moment"),
        "E-API-08": e(415, "不支持的内容类型", "Unsupported media type"),
        "E-API-09": e(
            500,
            "服务器内部错误",
            "Internal server error",
            "请将时间与编号告知管理员",
            "Give the time and number to the administrator",
        ),
        "E-API-10": e(406, "无法提供所请求的格式", "The requested format cannot be provided"),
        "E-API-11": e(401, "用户名或密码错误", "Wrong name or password"),
    }


TABLE: MappingProxyType[str, Entry] = MappingProxyType(_table())


class _Values(dict[str, Any]):
    """Message values; a value nobody gave shows as an ellipsis rather than hiding the message behind a KeyError."""

    def __missing__(self, key: str) -> str:
        return "…"


def message(code: str, language: Language, **values: Any) -> str:
    """The message of a code in one language, filled with values.

    Raises:
        KeyError: the code is not in the table.
    """
    entry = TABLE[code]
    return (entry.zh if language == "zh" else entry.en).format_map(_Values(values))


def hint(code: str, language: Language, **values: Any) -> str:
    """What to do about a code, in one language; empty when the message says it all."""
    entry = TABLE[code]
    return (entry.hint_zh if language == "zh" else entry.hint_en).format_map(_Values(values))


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault found by a check: reported together with all others, never raised one by one."""

    code: str
    field: str = ""
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    severity_override: Severity | None = None

    @property
    def severity(self) -> Severity:
        """``error`` stops the file, ``warn`` restricts it."""
        return self.severity_override or TABLE[self.code].severity

    def line(self, language: Language) -> str:
        """One line for a terminal: severity, code, message and remedy."""
        text, remedy = message(self.code, language, **self.values), hint(self.code, language, **self.values)
        return f"{self.severity} {self.code}: {text}" + (f" ({remedy})" if remedy else "")

    def as_dict(self) -> dict[str, Any]:
        """Both languages, ready for JSON: code, severity, field, value, message_zh/en, hint_zh/en."""
        return {
            "code": self.code,
            "severity": self.severity,
            "field": self.field,
            "values": {k: str(v) for k, v in self.values.items()},
            "message_zh": message(self.code, "zh", **self.values),
            "message_en": message(self.code, "en", **self.values),
            "hint_zh": hint(self.code, "zh", **self.values),
            "hint_en": hint(self.code, "en", **self.values),
        }


class MineGISError(Exception):
    """Root of the tree: a coded failure that a door can explain in both languages."""

    def __init__(self, code: str, **values: Any) -> None:
        if code not in TABLE:
            raise KeyError(f"{code} is not in the error table")
        self.code = code
        self.values = values
        super().__init__(f"{code}: {message(code, 'en', **values)}")

    @property
    def status(self) -> int:
        """HTTP status of the code."""
        return TABLE[self.code].status

    def message(self, language: Language) -> str:
        """The message in one language."""
        return message(self.code, language, **self.values)

    def hint(self, language: Language) -> str:
        """The remedy in one language."""
        return hint(self.code, language, **self.values)

    def finding(self) -> Finding:
        """The same fault as an entry of a report."""
        return Finding(self.code, values=self.values)


class UploadError(MineGISError):
    """A file did not arrive as it was sent."""


class StorageError(MineGISError):
    """The shared storage is away, refuses, or gave something else than was put there."""


class SceneError(MineGISError):
    """An image cannot be used: format, georeference or radiometry."""


class ObservationError(MineGISError):
    """What a scene shows of its ground is not known, or was drawn wrongly."""


class ModelError(MineGISError):
    """A model is missing, damaged or does not fit the image."""


class TrainingError(MineGISError):
    """A training cannot start, or cannot go on."""


class SampleSetError(MineGISError):
    """A sample set cannot be built, or may not be trusted."""


class EnhancementError(MineGISError):
    """An image or a video cannot be enhanced."""


class VideoError(EnhancementError):
    """A video cannot be read or written."""


class JobError(MineGISError):
    """Long work cannot go on."""


class AttemptLostError(JobError):
    """This attempt is no longer the owner of its job: it may neither renew nor write."""

    def __init__(self) -> None:
        super().__init__("E-JOB-03")


class JobCancelledError(JobError):
    """A person cancelled the job; the work stops at the next safe point."""

    def __init__(self) -> None:
        super().__init__("E-JOB-04")


class ForbiddenError(MineGISError):
    """The user may not do this."""

    def __init__(self) -> None:
        super().__init__("E-API-03")


class ConflictError(MineGISError):
    """Somebody else changed the object first."""

    def __init__(self) -> None:
        super().__init__("E-API-06")
