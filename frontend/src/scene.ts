// One scene: image, result, legend, opacity, swipe, confidence. All of it is in the address, so a link reproduces the screen.
import L from "leaflet";
import "./map.css";
import { createMap, isTyping, latLngBounds, runTiles, runTileUrl, sceneTiles, type Bounds } from "./map";
import { number } from "./messages";
import { showObservation } from "./observation";
import { PatchLayer, type ClassStyle } from "./patches";
import { Swipe } from "./swipe";

interface SceneData {
  scene: string;
  run: string | null;
  bounds: Bounds;
  gsd: number;
  classes: ClassStyle[];
  kinds: Record<string, string>;
  origins: Record<string, string>;
}

const source = document.getElementById("scene-data");
if (source) show(JSON.parse(source.textContent!) as SceneData);

function show(data: SceneData): void {
  const home = () => latLngBounds(data.bounds);
  const map = createMap(document.getElementById("scene-map")!, home, document.getElementById("map-foot"));
  map.setMaxBounds(home().pad(1));
  sceneTiles(data.scene, data.bounds, data.gsd).addTo(map);
  showObservation(map, data.scene);
  if (data.run) showResult(map, data, data.run);
}

function showResult(map: L.Map, data: SceneData, run: string): void {
  const state = new URL(location.href).searchParams;
  map.createPane("result").style.zIndex = "250";
  map.createPane("patches").style.zIndex = "410";
  const boxes = [...document.querySelectorAll<HTMLInputElement>("input[data-class]")];
  const opacity = document.getElementById("opacity") as HTMLInputElement;
  const confidence = document.getElementById("confidence") as HTMLInputElement;
  const swipeButton = document.getElementById("swipe") as HTMLButtonElement;
  const hidden = (state.get("hide") ?? "").split(",").map(Number);
  for (const box of boxes) box.checked = !hidden.includes(Number(box.dataset.class));
  opacity.value = state.get("opacity") ?? opacity.value;
  confidence.value = state.get("confidence") ?? confidence.value;

  const visible = () => boxes.filter((box) => box.checked).map((box) => Number(box.dataset.class));
  const least = () => Number(confidence.value) / 100;
  const tiles = runTiles(run, visible(), data.bounds, data.gsd, "result").addTo(map);
  const styles = new Map(data.classes.map((c) => [c.code, c]));
  const patches = new PatchLayer(map, run, "patches", styles, data.kinds, data.origins, new Set(visible()), least());

  const remember = (key: string, value: string | null) => {
    const url = new URL(location.href);
    if (value === null) url.searchParams.delete(key);
    else url.searchParams.set(key, value);
    history.replaceState(history.state, "", url);
  };
  const paint = () => {
    const share = Number(opacity.value) / 100;
    map.getPane("patches")!.style.opacity = String(share);
    // With a threshold the polygons alone are the result: a raster cannot leave weak patches out.
    map.getPane("result")!.style.opacity = String(least() > 0 ? 0 : share);
    document.getElementById("opacity-value")!.textContent = `${number(Number(opacity.value))} %`;
    document.getElementById("confidence-value")!.textContent = least() > 0 ? `≥ ${number(Number(confidence.value))} %` : "—";
  };
  const classesChanged = () => {
    tiles.setUrl(runTileUrl(run, visible()));
    patches.filter(new Set(visible()), least());
    const off = boxes.filter((box) => !box.checked).map((box) => box.dataset.class!);
    remember("hide", off.length ? off.join(",") : null);
  };
  for (const box of boxes) box.addEventListener("change", classesChanged);
  opacity.addEventListener("input", paint);
  opacity.addEventListener("change", () => remember("opacity", opacity.value));
  confidence.addEventListener("input", () => {
    paint();
    patches.filter(new Set(visible()), least());
  });
  confidence.addEventListener("change", () => remember("confidence", Number(confidence.value) ? confidence.value : null));

  const swipe = new Swipe(map, ["result", "patches"], (share) => {
    swipeButton.setAttribute("aria-pressed", String(share !== null));
    swipeButton.classList.toggle("active", share !== null);
    remember("swipe", share === null ? null : share.toFixed(2));
  });
  const stored = state.get("swipe");
  if (stored !== null) swipe.set(Number(stored));
  swipeButton.addEventListener("click", () => {
    swipe.set(swipe.active ? null : 0.5);
    if (swipe.active) swipe.focus();
  });

  let before = "70"; // the opacity that key O returns to
  addEventListener("keydown", (event) => {
    if (isTyping(event)) return;
    const key = event.key.toLowerCase();
    const box = boxes.find((b) => b.dataset.class === key);
    if (box) box.click();
    else if (key === "s") swipeButton.click();
    else if (key === "o") {
      if (Number(opacity.value)) before = opacity.value;
      opacity.value = Number(opacity.value) ? "0" : before;
      paint();
      remember("opacity", opacity.value);
    }
  });
  paint();
}
