// Drawing one polygon on a map; Escape gives it up.
import L from "leaflet";
import "@geoman-io/leaflet-geoman-free";
import "@geoman-io/leaflet-geoman-free/dist/leaflet-geoman.css";
import type { Feature, Polygon } from "geojson";

const STYLE = { color: "#f0a742", weight: 2, fillOpacity: 0.15 };

/** Resolves with the outline in degrees, or null when it was given up. */
export function drawPolygon(map: L.Map): Promise<Polygon | null> {
  map.pm ??= new (L.PM as unknown as { Map: new (map: L.Map) => L.PM.PMMap }).Map(map);
  return new Promise((resolve) => {
    const stop = new AbortController();
    const end = (result: Polygon | null) => {
      stop.abort();
      map.pm.disableDraw();
      map.off("pm:create", made);
      resolve(result);
    };
    const made = (event: { layer: L.Layer }) => {
      const layer = event.layer as L.Polygon;
      end((layer.toGeoJSON(9) as Feature<Polygon>).geometry);
      layer.setStyle(STYLE);
    };
    map.on("pm:create", made as L.LeafletEventHandlerFn);
    const give = (event: KeyboardEvent) => {
      if (event.key === "Escape") end(null);
    };
    addEventListener("keydown", give, { signal: stop.signal });
    map.pm.enableDraw("Polygon", { snappable: false, pathOptions: STYLE, templineStyle: STYLE, hintlineStyle: { ...STYLE, dashArray: "5 5" } });
  });
}
