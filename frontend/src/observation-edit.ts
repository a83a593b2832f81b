// Correcting by hand what a scene does not show: draw, cut, remove, move points, undo. Loaded when somebody starts to edit.
import L from "leaflet";
import "@geoman-io/leaflet-geoman-free";
import "@geoman-io/leaflet-geoman-free/dist/leaflet-geoman.css";
import type { Feature, MultiPolygon, Polygon } from "geojson";
import { t } from "./messages";
import { address, ask, type Observation } from "./observation";
import { toast } from "./toast";

const STYLE = { pmIgnore: false, color: "#f0a742", weight: 2, fillColor: "url(#hatch-unobserved)", fillOpacity: 1 };
type Tool = "draw" | "cut" | "remove" | "points";

/** Edit a mask until it is saved or given up; resolves with the mask as saved, or null. */
export function editObservation(map: L.Map, scene: string, known: Observation): Promise<Observation | null> {
  // Only what is marked may be edited: the patches of the result lie on the same map.
  L.PM.setOptIn(true);
  map.pm ??= new (L.PM as unknown as { Map: new (map: L.Map) => L.PM.PMMap }).Map(map);
  const bar = document.getElementById("observation-tools")!;
  const button = (name: string) => bar.querySelector<HTMLButtonElement>(`[data-tool=${name}]`)!;
  const pane = map.getPane("unobserved")!;
  const past: string[] = [];
  const stop = new AbortController();

  const outlines = (): L.Polygon[] => {
    const found: L.Polygon[] = [];
    map.eachLayer((layer) => {
      if (layer instanceof L.Polygon && (layer.options as L.LayerOptions).pmIgnore === false) found.push(layer);
    });
    return found;
  };
  const parts = (): Polygon["coordinates"][] =>
    outlines().flatMap((layer) => {
      const { geometry } = layer.toGeoJSON(9) as Feature<Polygon | MultiPolygon>;
      return geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    });
  const clear = () => {
    for (const layer of outlines()) layer.remove();
  };
  const put = (coordinates: Polygon["coordinates"][]) => {
    clear();
    for (const part of coordinates) L.polygon(L.GeoJSON.coordsToLatLngs(part, 1) as L.LatLng[][], STYLE).addTo(map);
    for (const layer of outlines()) layer.on("pm:edit", remember);
  };
  const remember = () => {
    const now = JSON.stringify(parts());
    if (now !== past.at(-1)) past.push(now);
    button("undo").disabled = past.length < 2;
  };
  const rest = () => {
    map.pm.disableDraw();
    map.pm.disableGlobalCutMode();
    map.pm.disableGlobalRemovalMode();
    map.pm.disableGlobalEditMode();
    for (const one of bar.querySelectorAll("[data-tool]")) one.setAttribute("aria-pressed", "false");
  };
  const tools: Record<Tool, () => void> = {
    draw: () => map.pm.enableDraw("Polygon", { snappable: false, continueDrawing: true, pathOptions: STYLE, templineStyle: STYLE, hintlineStyle: { ...STYLE, dashArray: "5 5" } }),
    cut: () => map.pm.enableGlobalCutMode({ snappable: false, continueDrawing: true, pathOptions: STYLE } as L.PM.CutModeOptions),
    remove: () => map.pm.enableGlobalRemovalMode(),
    points: () => map.pm.enableGlobalEditMode({ snappable: false, allowSelfIntersection: false }),
  };
  const use = (tool: Tool) => {
    const active = button(tool).getAttribute("aria-pressed") === "true";
    rest();
    if (active) return;
    tools[tool]();
    button(tool).setAttribute("aria-pressed", "true");
  };

  return new Promise((resolve) => {
    const leave = (result: Observation | null) => {
      rest();
      clear();
      stop.abort();
      map.off("pm:create pm:cut pm:remove", changed);
      bar.hidden = true;
      pane.style.visibility = "";
      map.getContainer().classList.remove("outlining");
      map.invalidateSize();
      resolve(result);
    };
    const changed = () => {
      for (const layer of outlines()) layer.off("pm:edit", remember).on("pm:edit", remember);
      // Geoman tells of a change before it has finished putting the layers in place.
      setTimeout(remember);
    };
    const send = async (method: string, query: string, body?: unknown) => {
      for (const one of bar.querySelectorAll("button")) one.disabled = true;
      const answer = await ask(address(scene) + query, method, body);
      for (const one of bar.querySelectorAll("button")) one.disabled = false;
      button("undo").disabled = past.length < 2;
      if (!answer) return;
      toast(t("observationSaved"), "success");
      leave(answer);
    };
    map.pm.setLang(document.documentElement.lang.startsWith("en") ? "en" : "zh");
    map.on("pm:create pm:cut pm:remove", changed);
    map.on("pm:create", ({ layer }) => ((layer.options as L.LayerOptions).pmIgnore = false));
    for (const tool of Object.keys(tools) as Tool[]) {
      button(tool).addEventListener("click", () => use(tool), { signal: stop.signal });
    }
    const { lock, unobserved } = known.properties;
    const on = (name: string, act: () => void) => button(name).addEventListener("click", act, { signal: stop.signal });
    on("undo", () => {
      rest();
      past.pop();
      put(JSON.parse(past.at(-1)!) as Polygon["coordinates"][]);
      button("undo").disabled = past.length < 2;
    });
    on("cancel", () => leave(null));
    on("reset", () => void send("DELETE", `?lock=${lock}`));
    on("save", () => {
      rest();
      void send("PUT", "", { lock, unobserved: { type: "MultiPolygon", coordinates: parts() } });
    });
    put(unobserved.type === "Polygon" ? (unobserved.coordinates.length ? [unobserved.coordinates] : []) : unobserved.coordinates);
    past.push(JSON.stringify(parts()));
    button("undo").disabled = true;
    pane.style.visibility = "hidden";
    bar.hidden = false;
    map.closePopup();
    map.getContainer().classList.add("outlining");
    map.invalidateSize();
  });
}
