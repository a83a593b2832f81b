// An edition: figures, tables, charts and map of one selection, which stands in the address.
import L from "leaflet";
import "./map.css";
import { CellLayer, type Style } from "./cells";
import type { ChartData, Charts } from "./charts";
import { initDialog } from "./dialog";
import { createMap, latLngBounds, sceneTiles, type Bounds } from "./map";
import { number, t } from "./messages";

interface EditionData {
  bounds: Bounds;
  cells: string;
  outlines: string;
  style: Style;
  filter: Record<string, string>;
  charts: ChartData[];
  scenes: { id: string; bounds: Bounds; gsd: number }[];
}

initDialog();
const read = (): EditionData => JSON.parse(document.getElementById("edition-data")!.textContent!) as EditionData;
const element = document.getElementById("edition-map");
if (element) show(element);

function show(element: HTMLElement): void {
  let data = read();
  const map = createMap(element, () => latLngBounds(data.bounds), document.getElementById("map-foot"));
  map.createPane("cells").style.zIndex = "410";
  const images = L.layerGroup().addTo(map);
  for (const scene of data.scenes) sceneTiles(scene.id, scene.bounds, scene.gsd).addTo(images);
  const boundaries = L.geoJSON(undefined, { interactive: false, style: { className: "mine-boundary" } }).addTo(map);
  void fetch("/api/v1/mines/geojson/").then(async (answer) => {
    if (answer.ok) boundaries.addData(await answer.json());
  });

  const told = (count: number, truncated: boolean) => {
    const foot = document.getElementById("cells-shown")!;
    foot.textContent = t(truncated ? "cellsTruncated" : "cellsShown", { n: number(count) });
  };
  const cells = new CellLayer(map, data.cells, "cells", data.style, new URLSearchParams(data.filter), told);

  // A bar selects what its row in the table selects.
  const select = (name: string, key: string) => {
    const url = new URL(location.href);
    if (url.searchParams.get(name) === key) url.searchParams.delete(name);
    else url.searchParams.set(name, key);
    window.htmx.ajax("get", url.pathname + url.search, { source: "#books", target: "#books", select: "#books", swap: "outerHTML" });
    history.pushState({ htmx: true }, "", url);
  };
  let charts: Charts | null = null;
  const draw = async () => {
    showTab();
    charts ??= new (await import("./charts")).Charts(select);
    charts.show(data.charts);
  };

  const imagery = document.getElementById("show-images") as HTMLInputElement | null;
  imagery?.addEventListener("change", () => (imagery.checked ? images.addTo(map) : images.remove()));

  document.body.addEventListener("htmx:afterSettle", (event) => {
    if ((event as CustomEvent<{ target: HTMLElement }>).detail.target.id !== "books") return;
    const next = read();
    const moved = JSON.stringify(next.bounds) !== JSON.stringify(data.bounds);
    const filtered = JSON.stringify(next.filter) !== JSON.stringify(data.filter);
    data = next;
    map.invalidateSize();
    if (filtered) cells.show(new URLSearchParams(data.filter));
    if (moved) map.fitBounds(latLngBounds(data.bounds), { padding: [16, 16] });
    void draw();
  });
  new MutationObserver(() => void draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  void draw();
}

/** On a narrow screen the strip of tabs shows the chosen one. */
function showTab(): void {
  const strip = document.querySelector<HTMLElement>(".tabs");
  const chosen = strip?.querySelector<HTMLElement>("[aria-current]");
  if (strip && chosen) strip.scrollLeft = chosen.offsetLeft - strip.offsetLeft - (strip.clientWidth - chosen.offsetWidth) / 2;
}
