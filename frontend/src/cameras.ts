// Cameras of the register on a map; a click opens the camera's page.
import L from "leaflet";
import { language } from "./messages";

interface CameraFeature {
  id: string;
  geometry: { coordinates: [number, number] } | null;
  properties: { code: string; name_zh: string; name_en: string; is_active: boolean };
}

// The kit's own drawing (device-cctv): the sprite's address is known to templates alone.
const DRAWING =
  '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M3 3m0 1a1 1 0 0 1 1 -1h16a1 1 0 0 1 1 1v2a1 1 0 0 1 -1 1h-16a1 1 0 0 1 -1 -1z"/><path d="M12 14m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0"/><path d="M19 7v7a7 7 0 0 1 -14 0v-7"/></svg>';

/** Draw the cameras that the reader may know of and whose place is known. */
export async function showCameras(map: L.Map): Promise<void> {
  const answer = await fetch("/api/v1/cameras/geojson/");
  if (!answer.ok) return;
  const { features } = (await answer.json()) as { features: CameraFeature[] };
  map.createPane("cameras").style.zIndex = "440"; // below the mines
  const icon = L.divIcon({ className: "camera-mark", html: DRAWING, iconSize: [24, 24] });
  for (const { id, geometry, properties } of features) {
    if (!geometry || !properties.is_active) continue;
    const [lon, lat] = geometry.coordinates;
    const name = (language === "en" && properties.name_en) || properties.name_zh;
    const open = () => location.assign(`/video/cameras/${id}/`);
    L.marker([lat, lon], { icon, pane: "cameras", title: `${properties.code} · ${name}` })
      .on("click", open)
      .on("keypress", (event) => event.originalEvent.key === "Enter" && open())
      .addTo(map);
  }
}
