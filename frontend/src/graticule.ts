// Longitude and latitude lines under everything: orientation without any foreign base map.
import L from "leaflet";

const STEPS = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/** Draw labelled lines, about five across the view, and keep them in step with it. */
export function addGraticule(map: L.Map): void {
  const pane = map.createPane("graticule");
  pane.style.zIndex = "150"; // below tiles: it shows where there is no image
  const labels = map.createPane("graticule-labels");
  labels.style.zIndex = "620";
  labels.style.pointerEvents = "none";
  const group = L.layerGroup().addTo(map);
  const draw = () => {
    group.clearLayers();
    const view = map.getBounds();
    const span = view.getEast() - view.getWest();
    const step = STEPS.find((s) => span / s >= 4) ?? STEPS[STEPS.length - 1]!;
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    const line = (ends: L.LatLngExpression[], at: L.LatLngExpression, text: string, side: string) => {
      L.polyline(ends, { pane: "graticule", interactive: false, weight: 1, className: "graticule" }).addTo(group);
      const icon = L.divIcon({ className: `graticule-label ${side}`, html: text, iconSize: [0, 0] });
      L.marker(at, { pane: "graticule-labels", interactive: false, keyboard: false, icon }).addTo(group);
    };
    const size = map.getSize();
    const edge = map.containerPointToLatLng([0, size.y]);
    for (let i = Math.ceil(view.getWest() / step); i * step < view.getEast(); i++) {
      const lon = i * step;
      const ends: L.LatLngExpression[] = [[view.getSouth(), lon], [view.getNorth(), lon]];
      line(ends, [view.getNorth(), lon], `${lon.toFixed(digits)}°`, "top");
    }
    for (let i = Math.ceil(view.getSouth() / step); i * step < view.getNorth(); i++) {
      const lat = i * step;
      line([[lat, view.getWest()], [lat, view.getEast()]], [lat, edge.lng], `${lat.toFixed(digits)}°`, "left");
    }
  };
  map.on("moveend resize", draw);
  map.whenReady(draw);
}
