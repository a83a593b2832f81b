// The overview map: mines sized by damage over the year's scenes. Map, figures and table show the same selection.
import L from "leaflet";
import "./map.css";
import { showCameras } from "./cameras";
import { createMap, latLngBounds, runTiles, sceneTiles, type Bounds } from "./map";
import { number, t } from "./messages";

interface MineData {
  code: string;
  name: string;
  lon: number;
  lat: number;
  hm2: number;
  change: number | null;
}

interface SceneData {
  id: string;
  run: string | null;
  bounds: Bounds;
  gsd: number;
  date: string;
  url: string;
}

interface OverviewData {
  bounds: Bounds | null;
  mines: MineData[];
  scenes: SceneData[];
  classes: number[];
}

const read = (): OverviewData => JSON.parse(document.getElementById("overview-data")!.textContent!) as OverviewData;
const element = document.getElementById("overview-map");

if (element) {
  let data = read();
  const map = createMap(element, () => latLngBounds(data.bounds ?? [73.4, 34.3, 96.4, 49.2]), document.getElementById("map-foot"));
  map.createPane("result").style.zIndex = "250";
  map.createPane("mines").style.zIndex = "450";
  const images = L.layerGroup().addTo(map);
  const results = L.layerGroup().addTo(map);
  const outlines = L.layerGroup().addTo(map);
  const boundaries = L.geoJSON(undefined, { interactive: false, style: { className: "mine-boundary" } }).addTo(map);
  const circles = L.layerGroup().addTo(map);
  let byCode = new Map<string, L.Marker>();

  const select = (code: string | null, move: boolean) => {
    const url = new URL(location.href);
    if (code) url.searchParams.set("mine", code);
    else url.searchParams.delete("mine");
    history.replaceState(history.state, "", url);
    for (const row of document.querySelectorAll<HTMLElement>("tr[data-mine]")) {
      row.classList.toggle("selected", row.dataset.mine === code);
    }
    for (const [key, marker] of byCode) marker.getElement()?.classList.toggle("selected", key === code);
    const marker = code ? byCode.get(code) : undefined;
    if (marker && move) map.panTo(marker.getLatLng());
    marker?.openTooltip();
  };

  const draw = () => {
    for (const group of [images, results, outlines, circles]) group.clearLayers();
    for (const scene of data.scenes) {
      sceneTiles(scene.id, scene.bounds, scene.gsd).addTo(images);
      if (scene.run) runTiles(scene.run, data.classes, scene.bounds, scene.gsd, "result").addTo(results);
      void fetch(`/api/v1/scenes/${scene.id}/footprint/`).then(async (answer) => {
        if (!answer.ok) return;
        L.geoJSON(await answer.json(), { interactive: false, style: { className: "footprint" } }).addTo(outlines);
      });
    }
    const most = Math.max(...data.mines.map((mine) => mine.hm2), 1e-9);
    byCode = new Map();
    for (const mine of data.mines) {
      const size = Math.round(14 + 42 * Math.sqrt(mine.hm2 / most)); // area of the disc follows the damage
      const label = size >= 36 ? number(mine.hm2, mine.hm2 < 10 ? 1 : 0) : "";
      const icon = L.divIcon({ className: "mine-disc", html: label, iconSize: [size, size] });
      const title = `${mine.name} · ${number(mine.hm2, 2)} hm²`;
      const marker = L.marker([mine.lat, mine.lon], { icon, pane: "mines", title: "", alt: title, zIndexOffset: -size });
      const change = mine.change === null ? "" : `<br>${t("change")} ${mine.change > 0 ? "+" : ""}${number(mine.change, 2)} hm²`;
      const tip = document.createElement("span");
      tip.textContent = title;
      tip.insertAdjacentHTML("beforeend", change);
      marker.bindTooltip(tip, { direction: "top", offset: [0, -size / 2] }).on("click", () => select(mine.code, false));
      marker.addTo(circles);
      byCode.set(mine.code, marker);
    }
    select(new URL(location.href).searchParams.get("mine"), false);
    showResults();
  };

  const resultsSwitch = document.getElementById("show-results") as HTMLInputElement | null;
  const showResults = () => {
    if (!resultsSwitch || resultsSwitch.checked) results.addTo(map);
    else results.remove();
  };
  resultsSwitch?.addEventListener("change", showResults);

  void fetch("/api/v1/mines/geojson/").then(async (answer) => {
    if (answer.ok) boundaries.addData(await answer.json());
  });
  void showCameras(map);

  // A row is selected by its button; the year strip and the region filter swap everything but the map.
  document.body.addEventListener("click", (event) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("tr[data-mine]");
    if (row) select(row.classList.contains("selected") ? null : row.dataset.mine!, true);
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    const next = read();
    const moved = JSON.stringify(next.bounds) !== JSON.stringify(data.bounds);
    data = next;
    map.invalidateSize();
    if (moved && data.bounds) map.fitBounds(latLngBounds(data.bounds), { padding: [16, 16] });
    draw();
  });
  draw();
}
