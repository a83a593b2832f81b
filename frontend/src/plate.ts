// Labels on superpixels: one key gives a piece its class. Every key is saved at once; what a lost link holds back stays in
// the browser until it is saved.
import L from "leaflet";
import "./map.css";
import type { FeatureCollection } from "geojson";
import { createMap, isTyping, latLngBounds, sceneTiles, type Bounds } from "./map";
import { number, t } from "./messages";
import { LabelSheet, UNSURE, NONE } from "./label-sheet";

interface PlateData {
  api: string;
  plate: string;
  person: number;
  scene: string;
  gsd: number;
  bounds: Bounds;
  order: number[];
  pixels: number[];
  colours: Record<string, string>;
}

const data = JSON.parse(document.getElementById("plate-data")!.textContent!) as PlateData;
const element = document.getElementById("plate-map")!;
const map = createMap(element, () => latLngBounds(data.bounds), document.getElementById("map-foot"));
map.keyboard.disable(); // its arrows would move the map
sceneTiles(data.scene, data.bounds, data.gsd).addTo(map);
map.createPane("pieces").style.zIndex = "410";
map.createPane("piece").style.zIndex = "430";

const layers = new Map<number, L.Path & { getBounds(): L.LatLngBounds }>();
const place = new Map(data.order.map((piece, at) => [piece, at]));
const whole = data.pixels.reduce((sum, pixels) => sum + pixels, 0);
const hatches = new Set([...document.querySelectorAll("pattern")].map((pattern) => pattern.id));
const codes = new Map([...document.querySelectorAll<HTMLElement>("[data-label]")].map((b) => [Number(b.dataset.label), b]));
let current = 0;
let outline: L.Layer | null = null;

const sheet = new LabelSheet(data.api, `labels:${data.plate}:${data.person}`, {
  changed: (pieces) => {
    for (const piece of pieces) layers.get(piece)?.setStyle(style(piece));
    figures();
  },
  saving: (waiting, trouble) => {
    const saved = document.getElementById("saved")!;
    saved.textContent = waiting ? t(trouble ? "labelsHeld" : "labelsSaving", { n: waiting }) : t("labelsSaved");
    saved.classList.toggle("state-bad", trouble);
  },
  trouble: complain,
});

function complain(text: string): void {
  const box = document.getElementById("trouble")!;
  box.textContent = text;
  box.hidden = !text;
}

function style(piece: number): L.PathOptions {
  const label = sheet.label(piece);
  if (label === undefined) return { className: "superpixel", color: "#fff", weight: 0.75, opacity: 0.65, fillOpacity: 0 };
  if (label === UNSURE) return { className: "superpixel", color: "#fff", weight: 0.75, opacity: 0.65, fillColor: "url(#hatch-unobserved)", fillOpacity: 0.9 };
  const hatch = codes.get(label)?.dataset.code;
  return {
    className: "superpixel",
    color: data.colours[label]!,
    weight: 1,
    opacity: 0.9,
    fillColor: hatch && hatches.has(`filled-${hatch}`) ? `url(#filled-${hatch})` : data.colours[label]!,
    fillOpacity: 0.5,
  };
}

function figures(): void {
  const pixels = new Map<number, number>();
  for (const [piece, label] of sheet.all()) pixels.set(label, (pixels.get(label) ?? 0) + data.pixels[piece - 1]!);
  let sum = 0;
  for (const box of document.querySelectorAll<HTMLElement>("[data-share]")) {
    const share = (100 * (pixels.get(Number(box.dataset.share)) ?? 0)) / whole;
    sum += share;
    box.textContent = share ? `${number(share, 1)} %` : "";
  }
  const raster = document.getElementById("raster")!;
  raster.classList.toggle("disabled", !pixels.size); // nothing said makes no raster
  raster.setAttribute("aria-disabled", String(!pixels.size));
  document.getElementById("total")!.textContent = `${number(sum, 1)} %`;
  const bar = document.getElementById("bar")!;
  bar.setAttribute("aria-valuenow", sum.toFixed(0));
  bar.querySelector<HTMLElement>("div")!.style.width = `${sum}%`;
  const label = sheet.label(current);
  const name = label === undefined ? "—" : (codes.get(label)?.querySelector(".cut")?.textContent ?? "");
  if (current) document.getElementById("where")!.textContent = t("labelsWhere", { n: place.get(current)! + 1, of: data.order.length, label: name });
  for (const [code, button] of codes) button.classList.toggle("active", code === label);
}

function choose(piece: number): void {
  const layer = layers.get(piece);
  if (!layer) return;
  current = piece;
  element.dataset.piece = String(piece);
  outline?.remove();
  outline = L.geoJSON((layer as L.Polygon).toGeoJSON(7), { pane: "piece", interactive: false, style: { className: "piece-outline", fill: false } }).addTo(map);
  const seen = map.getBounds().pad(-0.12);
  if (!seen.contains(layer.getBounds())) map.panTo(layer.getBounds().getCenter(), { animate: false });
  figures();
}

function step(by: number): void {
  const at = (place.get(current) ?? -1) + by;
  choose(data.order[(at + data.order.length) % data.order.length]!);
}

// The next piece nobody has spoken of, from here on and then from the start.
function onward(): void {
  const at = place.get(current) ?? 0;
  const turn = [...data.order.slice(at + 1), ...data.order.slice(0, at)];
  choose(turn.find((piece) => sheet.label(piece) === undefined) ?? current);
}

function say(label: number): void {
  if (!current) return;
  sheet.say(current, label);
  if (label !== NONE) onward();
}

async function undo(): Promise<void> {
  const piece = await sheet.undo();
  if (piece) choose(piece);
}

// Escape gives the Tab key back to the page, so that nobody is caught in the map.
let left = false;
element.addEventListener("pointerdown", () => (left = false));
element.addEventListener("focus", () => (left = false));

function press(event: KeyboardEvent): void {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    void undo();
    return;
  }
  if (isTyping(event)) return;
  const target = event.target as HTMLElement;
  const free = target === document.body || element.contains(target) || target.id === "page";
  const key = event.key.toLowerCase();
  if (/^[0-7]$/.test(key)) say(Number(key));
  else if (key === "u" || (key === " " && free)) say(UNSURE);
  else if (key === "delete" || key === "backspace") say(NONE);
  else if (key === "arrowright" || key === "arrowdown") step(1);
  else if (key === "arrowleft" || key === "arrowup") step(-1);
  else if (key === "tab" && free && !left) step(event.shiftKey ? -1 : 1);
  else if (key === "escape") {
    left = true;
    return;
  } else if (key === "o") {
    const pane = map.getPane("pieces")!;
    pane.style.display = pane.style.display ? "" : "none";
  } else return;
  event.preventDefault();
}

document.body.addEventListener("click", (event) => {
  const button = (event.target as HTMLElement).closest<HTMLButtonElement>("button");
  if (!button) return;
  if (button.dataset.label) say(Number(button.dataset.label));
  else if (button.dataset.step) step(Number(button.dataset.step));
  else if (button.id === "undo") void undo();
  else return;
  if (event.detail) element.focus({ preventScroll: true }); // a click of the mouse, after which keys belong to the map again
});

async function start(): Promise<void> {
  const answer = await fetch(`${data.api}outlines/`);
  if (!answer.ok) {
    complain(t("requestFailed"));
    return;
  }
  const shapes = (await answer.json()) as FeatureCollection;
  if (!(await sheet.load())) return;
  L.geoJSON(shapes, {
    pane: "pieces",
    renderer: L.svg({ pane: "pieces", padding: 0.3 }),
    style: (feature) => style(Number(feature!.id)),
    onEachFeature: (feature, layer) => {
      layers.set(Number(feature.id), layer as L.Path & { getBounds(): L.LatLngBounds });
      layer.on("click", () => choose(Number(feature.id)));
    },
  } as L.GeoJSONOptions).addTo(map);
  addEventListener("keydown", press);
  choose(data.order.find((piece) => sheet.label(piece) === undefined) ?? data.order[0]!);
  element.focus({ preventScroll: true });
  element.dataset.ready = "true";
}

start().catch(() => complain(t("requestFailed")));
