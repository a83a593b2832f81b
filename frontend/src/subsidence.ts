// Sunken ground: outlines on the image; drawing is loaded when somebody starts to draw.
import L from "leaflet";
import "./map.css";
import { initDialog } from "./dialog";
import { createMap, latLngBounds, sceneTiles, type Bounds } from "./map";
import { t } from "./messages";

interface SubsidenceData {
  bounds: Bounds | null;
  scenes: { id: string; bounds: Bounds; gsd: number }[];
  drawn: { id: string; state: string; geometry: string }[];
  new: string;
}

initDialog();
const data = JSON.parse(document.getElementById("subsidence-data")!.textContent!) as SubsidenceData;
const home = () => latLngBounds(data.bounds ?? [73.4, 34.3, 96.4, 49.2]);
const map = createMap(document.getElementById("subsidence-map")!, home, document.getElementById("map-foot"));
for (const scene of data.scenes) sceneTiles(scene.id, scene.bounds, scene.gsd).addTo(map);
const layers = new Map<string, L.GeoJSON>();
for (const one of data.drawn) {
  const layer = L.geoJSON(JSON.parse(one.geometry), { style: { className: `subsidence state-${one.state}` } }).addTo(map);
  layer.on("click", () => select(one.id, false));
  layers.set(one.id, layer);
}

function select(id: string, move: boolean): void {
  for (const row of document.querySelectorAll<HTMLElement>("[data-subsidence]")) {
    const current = row.dataset.subsidence === id;
    row.classList.toggle("selected", current);
    if (current) row.scrollIntoView({ block: "nearest" });
  }
  const layer = layers.get(id);
  if (layer && move) map.fitBounds(layer.getBounds(), { padding: [60, 60], maxZoom: 17 });
}

document.body.addEventListener("click", (event) => {
  const row = (event.target as HTMLElement).closest<HTMLElement>("[data-show]");
  if (row) select(row.dataset.show!, true);
});

const button = document.getElementById("draw") as HTMLButtonElement | null;
const hint = document.getElementById("draw-hint");
button?.addEventListener("click", async () => {
  const { drawPolygon } = await import("./draw");
  button.setAttribute("aria-pressed", "true");
  hint!.textContent = t("drawHint");
  const geometry = await drawPolygon(map);
  button.setAttribute("aria-pressed", "false");
  hint!.textContent = "";
  if (!geometry) return;
  await window.htmx.ajax("get", data.new, { source: "#dialog", target: "#dialog", swap: "innerHTML" });
  (document.getElementById("drawn-geometry") as HTMLInputElement).value = JSON.stringify(geometry);
});
