// The queue of changes: list, map and one change at a time, everything by keyboard.
import L from "leaflet";
import "./map.css";
import { CellLayer, type Style } from "./cells";
import { initDialog } from "./dialog";
import { createMap, latLngBounds, sceneTiles, type Bounds } from "./map";
import { number, t } from "./messages";
import { Queue } from "./queue";
import { toast } from "./toast";

interface DecisionsData {
  bounds: Bounds;
  cells: string;
  style: Style;
  piece: number | null;
  scenes: { id: string; bounds: Bounds; gsd: number }[];
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
for (const scene of data.scenes) sceneTiles(scene.id, scene.bounds, scene.gsd).addTo(map);
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
    if (cell.piece !== null) queue.open(cell.piece);
  },
);

const undos: Undo[][] = [];
let undoing = false;
const queue = new Queue("piece", map, (piece) => `/pieces/${piece}/`, () => void undo());

// A former decision has a place; a change may lie there now, which the queue then shows.
const mark = L.circleMarker([0, 0], { radius: 12, className: "place-mark", interactive: false });

function show(row: HTMLElement): void {
  const [lon, lat] = row.dataset.place!.split(",").map(Number) as [number, number];
  mark.setLatLng([lat, lon]).addTo(map);
  if (!row.dataset.open) map.setView([lat, lon], Math.max(map.getZoom(), 16));
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
  const direct = target.closest<HTMLElement>("[data-decision]");
  if (direct) void decide({ pieces: direct.dataset.pieces!, decision: direct.dataset.decision!, reason: direct.dataset.reason ?? "" });
  const place = target.closest<HTMLElement>("[data-place]");
  if (place) show(place);
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
  if ((event as CustomEvent<{ target: HTMLElement }>).detail.target.id === "queue") count();
});

document.body.addEventListener("pieces-decided", (event) => {
  const told = (event as CustomEvent<Decided>).detail;
  if (undoing) queue.following = told.undo[0]?.piece ?? null;
  else {
    undos.push(told.undo);
    if (told.undo.length === 1 && told.undo[0]!.piece === queue.chosen) queue.leave();
    else queue.following = queue.chosen;
  }
  toast(told.decision ? t("decided", { n: number(told.count), decision: told.decision }) : t("undone", { n: number(told.count) }), "success");
  queue.refresh();
  cells.show(new URLSearchParams());
});

if (data.piece !== null) queue.open(data.piece);
count();
