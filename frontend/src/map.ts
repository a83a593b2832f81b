// What every map of MineGIS shares: Leaflet without any foreign tiles, scale, coordinates, graticule, imagery layers.
import L from "leaflet";
import { gaussKruger } from "./gauss-kruger";
import { addGraticule } from "./graticule";
import { number, t } from "./messages";

export type Bounds = [west: number, south: number, east: number, north: number];

/** Leaflet's bounds from west, south, east, north in degrees. */
export const latLngBounds = ([w, s, e, n]: Bounds): L.LatLngBounds => L.latLngBounds([s, w], [n, e]);

/** A map inside an element; `home` is the extent that "F" and the fit button return to. */
export function createMap(element: HTMLElement, home: () => L.LatLngBounds, foot: HTMLElement | null): L.Map {
  const fit = () => map.fitBounds(home(), { padding: [16, 16], paddingBottomRight: [coveredWidth(element), 16] });
  const map = L.map(element, { zoomControl: false, attributionControl: false, minZoom: 3, maxZoom: 21, zoomSnap: 0.5, maxBoundsViscosity: 0.6 });
  L.control.zoom({ position: "topright", zoomInTitle: t("zoomIn"), zoomOutTitle: t("zoomOut") }).addTo(map);
  fitControl(fit).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 120, position: "bottomleft" }).addTo(map);
  addGraticule(map);
  if (foot) showCoordinates(map, foot);
  if (!restoreView(map)) fit();
  map.on("moveend", () => rememberView(map));
  addEventListener("keydown", (event) => {
    if (!isTyping(event) && event.key.toLowerCase() === "f") fit();
  });
  return map;
}

/** Whether a key belongs to a text field or to the browser rather than to the map. */
export function isTyping(event: KeyboardEvent): boolean {
  const fields = "input:not([type=checkbox]):not([type=range]), select, textarea";
  return event.ctrlKey || event.metaKey || event.altKey || (event.target as HTMLElement).matches(fields);
}

// The legend lies over the right part of a wide map: what is fitted should lie beside it.
function coveredWidth(element: HTMLElement): number {
  const legend = element.parentElement!.parentElement!.querySelector<HTMLElement>(".map-legend[open]");
  return legend && element.clientWidth > 900 ? legend.offsetWidth + 24 : 16;
}

function fitControl(fit: () => void): L.Control {
  const control = new L.Control({ position: "topright" });
  control.onAdd = () => {
    const box = L.DomUtil.create("div", "leaflet-bar");
    const button = L.DomUtil.create("a", "map-fit", box);
    button.href = "#";
    button.setAttribute("role", "button");
    button.title = t("fit");
    button.setAttribute("aria-label", t("fit"));
    button.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M16 4h4v4M20 4l-6 6M8 20H4v-4M4 20l6-6M16 20h4v-4M20 20l-6-6M8 4H4v4M4 4l6 6"/></svg>';
    L.DomEvent.disableClickPropagation(box);
    L.DomEvent.on(button, "click", (event) => {
      L.DomEvent.preventDefault(event);
      fit();
    });
    return box;
  };
  return control;
}

/** Image tiles of a scene; `gsd` in metres decides where tiles stop being fetched and are only enlarged. */
export function sceneTiles(id: string, bounds: Bounds, gsd: number, pane?: string): L.TileLayer {
  return L.tileLayer(`/api/v1/scenes/${id}/tiles/{z}/{x}/{y}.webp`, tileOptions(bounds, gsd, pane));
}

/** Tiles of a run's class raster, limited to some classes. */
export function runTiles(id: string, classes: number[], bounds: Bounds, gsd: number, pane?: string): L.TileLayer {
  return L.tileLayer(runTileUrl(id, classes), { ...tileOptions(bounds, gsd, pane), className: "class-tiles" });
}

/** The address of class tiles; no class at all is asked for as class 0, which is never drawn. */
export const runTileUrl = (id: string, classes: number[]): string =>
  `/api/v1/runs/${id}/tiles/{z}/{x}/{y}.png?classes=${classes.join(",") || "0"}`;

function tileOptions(bounds: Bounds, gsd: number, pane?: string): L.TileLayerOptions {
  const lat = ((bounds[1] + bounds[3]) / 2) * (Math.PI / 180);
  const native = Math.ceil(Math.log2((156543.034 * Math.cos(lat)) / gsd));
  return {
    bounds: latLngBounds(bounds),
    maxNativeZoom: Math.min(21, Math.max(3, native)),
    maxZoom: 21,
    ...(pane ? { pane } : {}),
  };
}

function showCoordinates(map: L.Map, foot: HTMLElement): void {
  const show = (at: L.LatLng) => {
    const { lat, lng } = at.wrap();
    const grid = gaussKruger(lng, lat);
    foot.querySelector("[data-lonlat]")!.textContent =
      `${number(Math.abs(lng), 5)}° ${lng < 0 ? "W" : "E"}  ${number(Math.abs(lat), 5)}° ${lat < 0 ? "S" : "N"}`;
    const zone = foot.querySelector("[data-zone]")!;
    const grids = lng >= 73.5 && lng < 136.5 && lat > 0;
    zone.textContent = grids
      ? t("zone", { zone: grid.zone, meridian: grid.meridian, x: number(grid.northing), y: number(grid.easting) })
      : "";
  };
  map.on("mousemove", (event) => show(event.latlng));
  map.on("moveend", () => show(map.getCenter()));
  map.whenReady(() => show(map.getCenter()));
}

// The view is kept in the address as #zoom/lat/lon, so that a link reproduces the screen.
function restoreView(map: L.Map): boolean {
  const parts = location.hash.slice(1).split("/").map(Number);
  const [zoom, lat, lon] = parts;
  if (parts.length !== 3 || zoom === undefined || lat === undefined || lon === undefined || parts.some(Number.isNaN)) return false;
  map.setView([lat, lon], zoom);
  return true;
}

function rememberView(map: L.Map): void {
  const { lat, lng } = map.getCenter();
  history.replaceState(history.state, "", `#${map.getZoom()}/${lat.toFixed(5)}/${lng.toFixed(5)}`);
}
