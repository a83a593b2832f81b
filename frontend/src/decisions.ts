// The queue of changes: list, map and one change at a time, everything by keyboard.
import L from "leaflet";
import "./map.css";
import { CellLayer, type Style } from "./cells";
import { dialogOpen, initDialog } from "./dialog";
import { createMap, isTyping, latLngBounds, sceneTiles, type Bounds } from "./map";
import { number, t } from "./messages";
import { toast } from "./toast";

interface DecisionsData {
  bounds: Bounds;
  cells: string;
  style: Style;
  piece: number | null;
  scenes: { id: string; bounds: Bounds; gsd: number }[];
}

interface PieceData {
  id: number;
  bounds: Bounds;
  geometry: string;
  kind: string;
}

interface Undo {
  piece: number;
  lock: number;
  decision: string;
  reason: string;
}

interface Decided {
  count: number;
  decision: string;
  undo: Undo[];
}

initDialog();
const data = JSON.parse(document.getElementById("decisions-data")!.textContent!) as DecisionsData;
const map = createMap(document.getElementById("decision-map")!, () => latLngBounds(data.bounds), document.getElementById("map-foot"));
map.createPane("cells").style.zIndex = "410";
map.createPane("piece").style.zIndex = "430";
for (const scene of data.scenes) sceneTiles(scene.id, scene.bounds, scene.gsd).addTo(map);
const outline = L.geoJSON(undefined, { pane: "piece", interactive: false, style: { className: "piece-outline", fill: false } }).addTo(map);
const cells = new CellLayer(
  map,
  data.cells,
  "cells",
  data.style,
  new URLSearchParams(),
  (count, truncated) => {
    document.getElementById("cells-shown")!.textContent = t(truncated ? "cellsTruncated" : "cellsShown", { n: number(count) });
  },
  (cell) => {
    if (cell.piece !== null) open(cell.piece);
  },
);

const undos: Undo[][] = [];
let chosen: number | null = null;
let following: number | null = null; // what is shown when the list has been fetched again
let undoing = false;

const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("#queue li[data-piece]")];
const idOf = (row: HTMLElement | undefined): number | null => (row ? Number(row.dataset.piece) : null);
const here = (): number => rows().findIndex((row) => idOf(row) === chosen);

/** Show a change at the right and on the map. */
function open(piece: number): void {
  chosen = piece;
  const url = new URL(location.href);
  url.searchParams.set("piece", String(piece));
  history.replaceState(history.state, "", url);
  mark();
  void window.htmx.ajax("get", `/pieces/${piece}/`, { source: "#piece", target: "#piece", swap: "innerHTML" });
}

function mark(): void {
  for (const row of rows()) {
    const current = idOf(row) === chosen;
    row.classList.toggle("selected", current);
    row.querySelector("[data-open]")?.setAttribute("aria-current", String(current));
    if (current) row.scrollIntoView({ block: "nearest" });
  }
}

function step(by: number): void {
  const list = rows();
  const at = here();
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  const piece = idOf(next);
  if (piece !== null && piece !== chosen) open(piece);
}

function picked(): string[] {
  return [...document.querySelectorAll<HTMLInputElement>("#queue li input:checked")].map((box) => box.value);
}

function count(): void {
  const total = picked().length;
  const label = document.getElementById("picked-count");
  if (label) label.textContent = number(total);
  const bulk = document.getElementById("bulk") as HTMLButtonElement | null;
  if (bulk) bulk.disabled = total === 0;
}

function refresh(): void {
  const url = new URL(location.href);
  void window.htmx.ajax("get", url.pathname + url.search, { source: ".queue-side", target: "#queue", swap: "outerHTML" });
  cells.show(new URLSearchParams());
}

// Not from the button, which may be gone when the answer comes; decisions queue up (hx-sync).
const decide = (values: { pieces: string; decision: string; reason?: string }): Promise<void> =>
  window.htmx.ajax("post", `${location.pathname}decide/`, { source: "#decider", values, swap: "none" }) as Promise<void>;

async function undo(): Promise<void> {
  const last = undos.pop();
  if (!last) return;
  // Changes that were decided differently before go back one group at a time.
  const groups = new Map<string, Undo[]>();
  for (const one of last) groups.set(`${one.decision} ${one.reason}`, [...(groups.get(`${one.decision} ${one.reason}`) ?? []), one]);
  undoing = true;
  for (const group of groups.values()) {
    const pieces = group.map((one) => `${one.piece}:${one.lock}`).join(",");
    await decide({ pieces, decision: group[0]!.decision, reason: group[0]!.reason });
  }
  undoing = false;
}

document.body.addEventListener("click", (event) => {
  const target = event.target as HTMLElement;
  const row = target.closest<HTMLElement>("[data-open]");
  if (row) open(Number(row.dataset.open));
  const direct = target.closest<HTMLElement>("[data-decision]");
  if (direct) void decide({ pieces: direct.dataset.pieces!, decision: direct.dataset.decision! });
  if (target.closest("#bulk")) {
    const url = target.closest<HTMLElement>("#bulk")!.dataset.url!;
    void window.htmx.ajax("get", `${url}?pieces=${picked().join(",")}`, { source: "#dialog", target: "#dialog", swap: "innerHTML" });
  }
});
document.body.addEventListener("change", (event) => {
  const box = event.target as HTMLInputElement;
  if (box.id === "pick-all") {
    for (const one of document.querySelectorAll<HTMLInputElement>("#queue li input:not(:disabled)")) one.checked = box.checked;
  }
  if (box.closest("#queue")) count();
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  const target = (event as CustomEvent<{ target: HTMLElement }>).detail.target;
  if (target.id === "piece") {
    const piece = JSON.parse(document.getElementById("piece-data")!.textContent!) as PieceData;
    outline.clearLayers();
    outline.addData(JSON.parse(piece.geometry) as GeoJSON.GeoJsonObject);
    map.fitBounds(latLngBounds(piece.bounds), { padding: [60, 60], maxZoom: 18 });
  } else if (target.id === "queue") {
    count();
    mark();
    if (following !== null) open(following);
    following = null;
  }
});

document.body.addEventListener("pieces-decided", (event) => {
  const told = (event as CustomEvent<Decided>).detail;
  if (undoing) following = told.undo[0]?.piece ?? null;
  else {
    undos.push(told.undo);
    const list = rows();
    const at = here();
    // The change at hand leaves the list: its neighbour takes its place.
    const single = told.undo.length === 1 && told.undo[0]!.piece === chosen;
    following = single ? (idOf(list[at + 1]) ?? idOf(list[at - 1])) : chosen;
  }
  toast(told.decision ? t("decided", { n: number(told.count), decision: told.decision }) : t("undone", { n: number(told.count) }), "success");
  refresh();
});

addEventListener("keydown", (event) => {
  if (dialogOpen()) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !(event.target as HTMLElement).matches("input[type=text], input[type=number], textarea")) {
    event.preventDefault();
    void undo();
    return;
  }
  if (isTyping(event)) return;
  const key = event.key.toLowerCase();
  if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "x") document.querySelector<HTMLInputElement>("#queue li.selected input")?.click();
  // Only of the change that is shown: a key pressed while the next one is still coming must not decide unseen ground.
  else document.querySelector<HTMLButtonElement>(`#piece [data-piece="${chosen}"] [data-key="${CSS.escape(key)}"]`)?.click();
});

if (data.piece !== null) open(data.piece);
count();
