// The queues of tailings ponds and waters: one patch at a time, one key each.
import "./map.css";
import { CellLayer, type Style } from "./cells";
import { initDialog } from "./dialog";
import { createMap, latLngBounds, sceneTiles, type Bounds } from "./map";
import { number, t } from "./messages";
import { Queue } from "./queue";
import { toast } from "./toast";

interface QueueData {
  bounds: Bounds;
  cells: string;
  style: Style;
  patch: number | null;
  scenes: { id: string; bounds: Bounds; gsd: number }[];
}

interface Undo {
  patch: number;
  version: number;
  shows: string;
  reason: string;
}

interface Decided {
  patch: number;
  said: string;
  undo: Undo;
  url: string;
}

initDialog();
const data = JSON.parse(document.getElementById("queue-data")!.textContent!) as QueueData;
const map = createMap(document.getElementById("patch-map")!, () => latLngBounds(data.bounds), document.getElementById("map-foot"));
map.createPane("cells").style.zIndex = "410";
for (const scene of data.scenes) sceneTiles(scene.id, scene.bounds, scene.gsd).addTo(map);
new CellLayer(map, data.cells, "cells", data.style, new URLSearchParams(), (count, truncated) => {
  document.getElementById("cells-shown")!.textContent = t(truncated ? "cellsTruncated" : "cellsShown", { n: number(count) });
});

const undos: Decided[] = [];
let undoing = false;
const panel = document.getElementById("queue")!.dataset.panel!;
const queue = new Queue("patch", map, (patch) => panel.replace("/0/", `/${patch}/`), () => void undo());

// Not from the button, which may be gone when the answer comes; answers queue up (hx-sync).
const decide = (url: string, values: { shows: string; version: string | number; reason?: string }): Promise<void> =>
  window.htmx.ajax("post", url, { source: "#decider", values, swap: "none" }) as Promise<void>;

async function undo(): Promise<void> {
  const last = undos.pop();
  if (!last) return;
  undoing = true;
  await decide(last.url, last.undo);
  undoing = false;
}

document.body.addEventListener("click", (event) => {
  const answer = (event.target as HTMLElement).closest<HTMLElement>("[data-shows]");
  if (answer) void decide(answer.dataset.url!, { shows: answer.dataset.shows!, version: answer.dataset.version! });
});

document.body.addEventListener("patch-decided", (event) => {
  const told = (event as CustomEvent<Decided>).detail;
  if (undoing) queue.following = told.patch;
  else {
    undos.push(told);
    if (told.patch === queue.chosen) queue.leave();
    else queue.following = queue.chosen;
  }
  toast(told.said ? t("said", { n: told.patch, said: told.said }) : t("takenBack", { n: told.patch }), "success");
  queue.refresh();
});

if (data.patch !== null) queue.open(data.patch);
