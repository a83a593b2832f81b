// A training: its curves, which grow while the network learns.
import { initDialog } from "./dialog";
import type { Lines } from "./charts";
import { number } from "./messages";

type Curves = Record<string, [number, number][]>;
const EVERY_MS = 2000;
const SCORES = ["miou_foreground", "miou_with_background", "boundary_f1"];

initDialog();
const place = document.getElementById("curves");
const data = document.getElementById("curves-data");
if (place && data) void follow(place, JSON.parse(data.textContent!) as Curves);

async function follow(place: HTMLElement, first: Curves): Promise<void> {
  const { Lines } = await import("./charts");
  const charts = { loss: new Lines(document.getElementById("chart-loss")!), miou: new Lines(document.getElementById("chart-miou")!) };
  draw(charts, first);
  let live = Boolean(place.dataset.live);
  while (live) {
    await new Promise((done) => setTimeout(done, EVERY_MS));
    if (document.hidden) continue;
    const answer = await fetch(place.dataset.url!, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) continue; // the link may come back; the page's own polling says that it is gone
    const now = (await answer.json()) as { curves: Curves; live: boolean };
    draw(charts, now.curves);
    live = now.live;
  }
}

function draw(charts: { loss: Lines; miou: Lines }, curves: Curves): void {
  const loss = document.getElementById("chart-loss")!;
  const scores = document.getElementById("chart-miou")!;
  charts.loss.show({ title: loss.dataset.title!, unit: "", digits: 4, series: [{ name: loss.dataset.title!, points: curves.loss ?? [] }] });
  const percent = (points: [number, number][]): [number, number][] => points.map(([step, value]) => [step, value * 100]);
  const shown = SCORES.filter((key) => curves[key]?.length);
  charts.miou.show({
    title: scores.dataset.title!,
    unit: "%",
    digits: 1,
    series: shown.map((key) => ({ name: scores.getAttribute(`data-${key}`)!, points: percent(curves[key]!) })),
  });
  for (const [key, scale, digits, unit] of [["loss", 1, 4, ""], ["miou_foreground", 100, 1, " %"]] as const) {
    const last = curves[key]?.at(-1);
    const text = document.querySelector<HTMLElement>(`[data-last="${key}"]`);
    if (text && last) text.textContent = `${number(last[0])}: ${number(last[1] * scale, digits)}${unit}`;
  }
  document.getElementById("no-curves")!.hidden = Object.keys(curves).length > 0;
}
