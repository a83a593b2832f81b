// What a scene does not show of its ground: clouds, their shadows, no data. Hatched over the image, never hidden by the result.
import L from "leaflet";
import type { MultiPolygon, Polygon } from "geojson";
import { number, t } from "./messages";
import { toast } from "./toast";

export interface Observation {
  properties: {
    method_name: string;
    cloud_share: number;
    shadow_share: number;
    unobserved_share: number;
    unobserved: MultiPolygon | Polygon;
    no_data: MultiPolygon | Polygon;
    lock: number;
  };
}

export const address = (scene: string): string => `/api/v1/scenes/${scene}/observation/`;

/** The mask of a scene on its map, with the shares in the side panel and the toggle in the legend. */
export function showObservation(map: L.Map, scene: string): void {
  const box = document.getElementById("unobserved") as HTMLInputElement;
  const edit = document.getElementById("observation-edit") as HTMLButtonElement | null;
  map.createPane("unobserved").style.zIndex = "405";
  const renderer = L.svg({ pane: "unobserved", padding: 0.3 });
  const layers: L.GeoJSON[] = [];
  let known: Observation | null = null;

  const toggle = () => {
    map.getPane("unobserved")!.style.display = box.checked ? "" : "none";
    const url = new URL(location.href);
    if (box.checked) url.searchParams.delete("unobserved");
    else url.searchParams.set("unobserved", "0");
    history.replaceState(history.state, "", url);
  };
  const draw = (answer: Observation) => {
    known = answer;
    const { properties: p } = answer;
    for (const layer of layers.splice(0)) layer.remove();
    for (const [geometry, className] of [[p.no_data, "no-data"], [p.unobserved, "unobserved"]] as const) {
      const options = { pane: "unobserved", renderer, interactive: false, style: () => ({ className, fillColor: "url(#hatch-unobserved)" }) };
      layers.push(L.geoJSON(geometry, options as L.GeoJSONOptions).addTo(map));
    }
    const texts = { cloud: p.cloud_share, shadow: p.shadow_share, unobserved: p.unobserved_share };
    for (const [name, share] of Object.entries(texts)) {
      for (const cell of document.querySelectorAll(`[data-observation=${name}]`)) cell.textContent = `${number(100 * share, 1)} %`;
    }
    document.querySelector("[data-observation=method]")!.textContent = p.method_name;
    if (edit) edit.disabled = false;
  };

  box.checked = new URL(location.href).searchParams.get("unobserved") !== "0";
  box.addEventListener("change", toggle);
  toggle();
  void ask(address(scene)).then((answer) => answer && draw(answer));
  edit?.addEventListener("click", async () => {
    if (!known) return;
    edit.disabled = true;
    const { editObservation } = await import("./observation-edit");
    const changed = await editObservation(map, scene, known);
    if (changed) draw(changed);
    edit.disabled = false;
  });
}

/** Ask the server about a mask; a refusal is shown and gives null. */
export async function ask(url: string, method = "GET", body?: unknown): Promise<Observation | null> {
  const headers: Record<string, string> = method === "GET" ? {} : { "X-CSRFToken": document.body.dataset.csrf ?? "" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (answer.ok) return (await answer.json()) as Observation;
    const problem = (await answer.json()) as { title?: string; detail?: string };
    toast([problem.title, problem.detail].filter(Boolean).join(" · ") || t("requestFailed"), "danger");
  } catch {
    toast(t("requestFailed"), "danger");
  }
  return null;
}
