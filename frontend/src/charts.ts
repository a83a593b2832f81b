// The charts of an edition. Loaded only where charts are shown; each chart draws the numbers of the table beside it.
import { BarChart, HeatmapChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { language, number } from "./messages";

echarts.use([AriaComponent, BarChart, GridComponent, HeatmapChart, LegendComponent, LineChart, MarkLineComponent, SVGRenderer, TooltipComponent, VisualMapComponent]);

export interface ChartData {
  id: string;
  kind: "column" | "bar" | "heat";
  title: string;
  unit: string;
  digits: number;
  categories: string[];
  keys: string[]; // what a click on a category selects; empty: nothing
  pick: string; // the name of the selection, e.g. "mine"
  series: { name: string; colour: string | string[]; values: (number | null)[] }[];
  columns?: string[]; // of a heat map
  cells?: [number, number, number][]; // column, row, value
  target?: number;
  most?: number; // end of the axis; left out it follows the values
  selected?: string;
}

export type Pick = (name: string, key: string) => void;

/** Curves over steps: (step, value) each. */
export interface LineData {
  title: string;
  unit: string;
  digits: number;
  series: { name: string; points: [number, number][] }[];
}

const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws charts into elements named `chart-<id>` and lets them go again. */
export class Charts {
  private readonly drawn = new Map<string, echarts.ECharts>();
  private readonly resize = new ResizeObserver((entries) => {
    for (const { target } of entries) echarts.getInstanceByDom(target as HTMLElement)?.resize();
  });

  constructor(private readonly picked: Pick) {}

  /** Show these charts and no others. */
  show(charts: ChartData[]): void {
    for (const chart of this.drawn.values()) chart.dispose();
    this.drawn.clear();
    this.resize.disconnect();
    for (const data of charts) {
      const element = document.getElementById(`chart-${data.id}`);
      if (!element) continue;
      const chart = echarts.init(element, null, { renderer: "svg", locale: language === "zh" ? "ZH" : "EN" });
      chart.setOption(data.kind === "heat" ? heat(data, element.clientWidth > 480) : bars(data));
      if (data.keys.length) chart.on("click", (event) => this.click(data, event as { dataIndex: number; value?: unknown }));
      this.drawn.set(data.id, chart);
      this.resize.observe(element);
    }
  }

  private click(data: ChartData, event: { dataIndex: number }): void {
    const key = data.keys[event.dataIndex];
    if (key) this.picked(data.pick, key);
  }
}

/** A chart of curves that is told new points while they come. */
export class Lines {
  private readonly chart: echarts.ECharts;

  constructor(element: HTMLElement) {
    this.chart = echarts.init(element, null, { renderer: "svg", locale: language === "zh" ? "ZH" : "EN" });
    new ResizeObserver(() => this.chart.resize()).observe(element);
  }

  show(data: LineData): void {
    const { base, axis, soft } = common(data);
    this.chart.setOption({
      ...base,
      tooltip: { ...base.tooltip, trigger: "axis" as const },
      grid: { left: 8, right: 16, top: data.series.length > 1 ? 34 : 14, bottom: 6, containLabel: true },
      ...(data.series.length > 1 ? { legend: { top: 0, right: 0, textStyle: { color: soft, fontSize: 12 }, itemWidth: 18, itemHeight: 10 } } : {}),
      xAxis: { type: "value" as const, ...axis, splitNumber: 4, max: "dataMax" as const, splitLine: { show: false } },
      yAxis: { type: "value" as const, ...axis, splitNumber: 4, scale: true },
      series: data.series.map((series) => ({
        name: series.name,
        type: "line" as const,
        showSymbol: series.points.length < 40,
        symbolSize: 5,
        lineStyle: { width: 1.75 },
        data: series.points,
      })),
    });
  }
}

function common(data: { title: string; unit: string; digits: number }) {
  const ink = token("--tblr-body-color") || "#1b2733";
  const soft = token("--mg-soft");
  const line = token("--mg-line");
  const axis = {
    axisLine: { lineStyle: { color: line } },
    axisTick: { show: false },
    axisLabel: { color: soft, fontSize: 11 },
    splitLine: { lineStyle: { color: line } },
  };
  return {
    ink,
    soft,
    line,
    axis,
    base: {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      aria: { enabled: true, decal: { show: true }, label: { general: { withTitle: `${data.title} (${data.unit})` } } },
      tooltip: {
        trigger: "item" as const,
        backgroundColor: token("--mg-panel"),
        borderColor: line,
        textStyle: { color: ink, fontSize: 12 },
        valueFormatter: (value: unknown) => (typeof value === "number" ? `${number(value, data.digits)} ${data.unit}` : "—"),
      },
    },
  };
}

function bars(data: ChartData): echarts.EChartsCoreOption {
  const { base, axis, soft, ink } = common(data);
  const upright = data.kind === "column";
  const names = { type: "category" as const, data: data.categories, ...axis, inverse: !upright, splitLine: { show: false } };
  names.axisLabel = { ...axis.axisLabel, ...(upright ? { interval: 0 } : { width: 108, overflow: "truncate" }) } as typeof axis.axisLabel;
  const values = { type: "value" as const, ...axis, splitNumber: 4, ...(data.most === undefined ? {} : { max: data.most, interval: data.most / 5 }) };
  // Nothing but zeros has no scale: ticks would be invented.
  if (data.series.every((series) => series.values.every((value) => !value))) {
    Object.assign(values, { max: data.most ?? 1, axisLabel: { show: false }, splitLine: { show: false } });
  }
  const many = data.series.length > 1;
  return {
    ...base,
    grid: { left: 6, right: upright ? 10 : 62, top: many ? 34 : 22, bottom: 4, containLabel: true },
    ...(many ? { legend: { top: 0, right: 0, textStyle: { color: soft, fontSize: 12 }, itemWidth: 18, itemHeight: 10 } } : {}),
    xAxis: upright ? names : values,
    yAxis: upright ? values : names,
    series: data.series.map((series) => ({
      name: series.name,
      type: "bar" as const,
      barMaxWidth: upright ? 46 : 18,
      label: {
        show: true,
        position: upright ? "top" : "right",
        color: ink,
        fontSize: 11,
        formatter: (point: { value: unknown }) => (typeof point.value === "number" ? number(point.value, data.digits) : "—"),
      },
      itemStyle: { color: typeof series.colour === "string" ? series.colour : undefined, borderRadius: 2 },
      data: series.values.map((value, i) => ({
        value,
        itemStyle: {
          ...(typeof series.colour === "string" ? {} : { color: series.colour[i] }),
          opacity: data.selected && data.keys[i] !== data.selected ? 0.35 : 1,
        },
      })),
      ...(data.target === undefined
        ? {}
        : {
            markLine: {
              silent: true,
              symbol: "none",
              lineStyle: { color: token("--mg-bad"), type: "dashed" },
              label: { formatter: `${number(data.target)} ${data.unit}`, color: token("--mg-bad"), position: upright ? "end" : "start", distance: 3 },
              data: [upright ? { yAxis: data.target } : { xAxis: data.target }],
            },
          }),
    })),
  };
}

/** Relative luminance of a mix of two #rrggbb colours (WCAG 2.2), `share` of the second. */
function luminance(from: string, to: string, share: number): number {
  const channel = (colour: string, at: number) => parseInt(colour.slice(at, at + 2), 16);
  const linear = [1, 3, 5].map((at) => {
    const value = (channel(from, at) * (1 - share) + channel(to, at) * share) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
}

// On a phone the cells are too small for numbers: the tooltip and the table hold them.
function heat(data: ChartData, numbers: boolean): echarts.EChartsCoreOption {
  const { base, axis, ink } = common(data);
  const cells = data.cells ?? [];
  const [weak, strong] = [token("--mg-ground"), token("--tblr-primary")];
  const most = Math.max(...cells.map(([, , value]) => value), 1e-9);
  const label = { ...axis.axisLabel, interval: 0 };
  return {
    ...base,
    aria: { ...base.aria, decal: { show: false } }, // the numbers stand in the cells
    grid: { left: 6, right: 10, top: 8, bottom: 4, containLabel: true },
    xAxis: { type: "category", data: data.columns, ...axis, axisLabel: { ...label, rotate: 38 }, position: "bottom", splitArea: { show: false } },
    yAxis: { type: "category", data: data.categories, ...axis, axisLabel: label, inverse: true },
    visualMap: { show: false, min: 0, max: most, inRange: { color: [weak, strong] } },
    series: [
      {
        type: "heatmap",
        data: cells.map((value) => ({ value, label: { color: luminance(weak, strong, value[2] / most) > 0.18 ? "#101820" : "#ffffff" } })),
        itemStyle: { borderColor: token("--mg-panel"), borderWidth: 1 },
        label: {
          show: numbers,
          fontSize: 10.5,
          formatter: (point: { value: unknown }) => {
            const value = (point.value as number[])[2] ?? 0;
            return value ? number(value, data.digits) : "";
          },
        },
        emphasis: { itemStyle: { borderColor: ink } },
      },
    ],
  };
}
