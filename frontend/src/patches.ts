// Patches as polygons in view: clickable, hatched, hidden below a confidence.
import L from "leaflet";
import type { Feature, FeatureCollection, Geometry } from "geojson";
import { number, t } from "./messages";

export interface PatchProperties {
  id: number;
  class_code: string;
  damage_kind: string;
  area_m2: number;
  confidence: number;
  confidence_p5: number;
  margin: number;
  water_origin: string;
}

export interface ClassStyle {
  id: number;
  code: string;
  name: string;
  colour: string;
  hatch: string;
  kind: string;
}

type PatchFeature = Feature<Geometry, PatchProperties>;

export class PatchLayer {
  private features: PatchFeature[] = [];
  private layer: L.GeoJSON | null = null;
  private request: AbortController | null = null;
  private readonly renderer: L.SVG;

  constructor(
    private readonly map: L.Map,
    private readonly run: string,
    private readonly pane: string,
    private readonly classes: Map<string, ClassStyle>,
    private readonly kinds: Record<string, string>,
    private readonly origins: Record<string, string>,
    private visible: Set<number>,
    private least: number,
  ) {
    this.renderer = L.svg({ pane, padding: 0.3 });
    map.on("moveend", () => void this.load());
    void this.load();
  }

  /** Show only some classes and patches of at least a mean confidence (0-1). */
  filter(visible: Set<number>, least: number): void {
    this.visible = visible;
    this.least = least;
    this.draw();
  }

  private async load(): Promise<void> {
    this.request?.abort();
    this.request = new AbortController();
    const b = this.map.getBounds().pad(0.2);
    const bbox = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((v) => v.toFixed(6)).join(",");
    try {
      const answer = await fetch(`/api/v1/runs/${this.run}/patches/?bbox=${bbox}&zoom=${Math.round(this.map.getZoom())}`, {
        signal: this.request.signal,
      });
      if (!answer.ok) return;
      this.features = ((await answer.json()) as FeatureCollection<Geometry, PatchProperties>).features;
      this.draw();
    } catch (error) {
      if ((error as Error).name !== "AbortError") throw error;
    }
  }

  private draw(): void {
    this.layer?.remove();
    const shown = this.features.filter(
      ({ properties: p }) => this.visible.has(this.classes.get(p.class_code)?.id ?? -1) && p.confidence >= this.least,
    );
    this.layer = L.geoJSON(shown as unknown as FeatureCollection, {
      pane: this.pane,
      renderer: this.renderer,
      style: (feature) => this.style(feature as PatchFeature),
      // The popup belongs to the map: it must outlive the polygons, which are fetched anew when it moves the view.
      onEachFeature: (feature, layer) =>
        layer.on("click", (event: L.LeafletMouseEvent) => {
          const content = this.describe(feature.properties as PatchProperties);
          L.popup({ maxWidth: 320 }).setLatLng(event.latlng).setContent(content).openOn(this.map);
        }),
    } as L.GeoJSONOptions).addTo(this.map);
  }

  // Without a threshold the class raster below paints the areas and a polygon adds outline and hatch only.
  private style(feature: PatchFeature): L.PathOptions {
    const look = this.classes.get(feature.properties.class_code);
    const hatched = look !== undefined && look.hatch !== "none";
    const filled = this.least > 0;
    const hatch = hatched ? `url(#${filled ? "filled" : "hatch"}-${look.code})` : null;
    return {
      className: "patch",
      color: look?.colour ?? "#000",
      weight: 1,
      fill: true,
      fillColor: hatch ?? (filled ? (look?.colour ?? "#000") : "#fff"),
      fillOpacity: filled || hatch ? 1 : 0,
    };
  }

  private describe(p: PatchProperties): HTMLElement {
    const look = this.classes.get(p.class_code);
    const box = document.createElement("div");
    box.className = "patch-popup";
    const head = document.createElement("strong");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.setProperty("--c", look?.colour ?? "#000");
    swatch.dataset.hatch = look?.hatch ?? "none";
    head.append(swatch, ` ${look?.name ?? p.class_code}`);
    const list = document.createElement("dl");
    const row = (label: string, value: string) => {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = label;
      dd.textContent = value;
      list.append(dt, dd);
    };
    row(t("damageKind"), this.kinds[p.damage_kind] ?? p.damage_kind);
    if (p.water_origin) row(t("waterOrigin"), this.origins[p.water_origin] ?? p.water_origin);
    row(t("area"), `${number(p.area_m2 / 10_000, 2)} hm² · ${number((p.area_m2 * 3) / 2000, 1)} ${t("mu")}`);
    row(t("confidence"), `${number(p.confidence * 100)} % (P5 ${number(p.confidence_p5 * 100)} %)`);
    row(t("margin"), `${number(p.margin * 100)} %`);
    row(t("patch"), `#${p.id}`);
    box.append(head, list);
    return box;
  }
}
