// Cells of an edition as polygons in view: class colour inside, what happened as outline, what nobody saw as hatch.
import L from "leaflet";
import type { Feature, FeatureCollection, Geometry } from "geojson";
import { number, t } from "./messages";

export interface CellProperties {
  id: number;
  piece: number | null;
  flow: string;
  prev: string;
  seen: string;
  now: string;
  cm2: number;
  mine: string | null;
  since: number | null;
  outside?: boolean;
}

export interface Look {
  name: string;
  colour: string | null; // null: drawn without fill
  hatch: string;
}

export interface Outline {
  colour: string;
  dash: string;
}

export interface Style {
  states: Record<string, Look>;
  flows: Record<string, string>;
  outlines: Record<string, Outline>;
  surveyed: boolean; // carried ground is known from a survey: only what nobody ever saw is hatched
}

type CellFeature = Feature<Geometry, CellProperties>;

export class CellLayer {
  private layer: L.GeoJSON | null = null;
  private request: AbortController | null = null;
  private readonly renderer: L.SVG;

  /** `url` answers GeoJSON for `?bbox=&zoom=` and the filter; `told` hears how many cells are shown and whether all are. */
  constructor(
    private readonly map: L.Map,
    private readonly url: string,
    private readonly pane: string,
    private readonly style: Style,
    private filter: URLSearchParams,
    private readonly told: (count: number, truncated: boolean) => void,
    private readonly picked?: (cell: CellProperties) => void,
  ) {
    this.renderer = L.svg({ pane, padding: 0.3 });
    map.on("moveend", () => void this.load());
    void this.load();
  }

  /** Show the cells behind another figure. */
  show(filter: URLSearchParams): void {
    this.filter = filter;
    void this.load();
  }

  private async load(): Promise<void> {
    this.request?.abort();
    this.request = new AbortController();
    const b = this.map.getBounds().pad(0.1);
    const query = new URLSearchParams(this.filter);
    query.set("bbox", [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((v) => v.toFixed(6)).join(","));
    query.set("zoom", String(Math.round(this.map.getZoom())));
    try {
      const answer = await fetch(`${this.url}?${query}`, { signal: this.request.signal });
      if (!answer.ok) return;
      const found = (await answer.json()) as FeatureCollection<Geometry, CellProperties> & { truncated: boolean };
      this.draw(found);
      this.told(found.features.length, found.truncated);
    } catch (error) {
      if ((error as Error).name !== "AbortError") throw error;
    }
  }

  private draw(found: FeatureCollection<Geometry, CellProperties>): void {
    this.layer?.remove();
    this.layer = L.geoJSON(found as unknown as FeatureCollection, {
      pane: this.pane,
      renderer: this.renderer,
      style: (feature) => this.path((feature as CellFeature).properties),
      onEachFeature: (feature, layer) =>
        layer.on("click", (event: L.LeafletMouseEvent) => {
          const cell = feature.properties as CellProperties;
          if (this.picked) this.picked(cell);
          else L.popup({ maxWidth: 320 }).setLatLng(event.latlng).setContent(this.describe(cell)).openOn(this.map);
        }),
    } as L.GeoJSONOptions).addTo(this.map);
  }

  private path(cell: CellProperties): L.PathOptions {
    const outline = this.style.outlines[cell.flow];
    const look = this.style.states[cell.flow === "undecided" || cell.flow === "rejected" ? cell.seen : cell.now];
    const unseen = cell.flow === "carried" && (!this.style.surveyed || cell.now === "unknown");
    const hatch = unseen ? "url(#hatch-unobserved)" : look?.hatch && look.hatch !== "none" ? `url(#filled-${look.hatch})` : null;
    return {
      className: `cell flow-${cell.flow}`,
      color: outline?.colour ?? look?.colour ?? "#8c8c8c",
      weight: outline ? 2 : 0.75,
      ...(outline?.dash ? { dashArray: outline.dash } : {}),
      fill: true,
      fillColor: hatch ?? look?.colour ?? "#fff",
      fillOpacity: hatch ? 0.85 : look?.colour ? 0.6 : 0,
    };
  }

  private describe(cell: CellProperties): HTMLElement {
    const box = document.createElement("div");
    box.className = "patch-popup";
    const head = document.createElement("strong");
    head.textContent = this.style.flows[cell.flow] ?? cell.flow;
    const list = document.createElement("dl");
    const row = (label: string, value: string) => {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = label;
      dd.textContent = value;
      list.append(dt, dd);
    };
    const name = (state: string) => this.style.states[state]?.name ?? state;
    row(t("before"), name(cell.prev));
    row(t("seen"), name(cell.seen));
    row(t("now"), name(cell.now));
    row(t("area"), `${number(cell.cm2 / 1e8, 2)} hm² · ${number((cell.cm2 * 3) / 2e7, 1)} ${t("mu")}`);
    if (cell.mine) row(t("mine"), cell.mine);
    if (cell.since) row(t("since"), String(cell.since));
    if (cell.outside) row(t("licence"), t("outside"));
    box.append(head, list);
    return box;
  }
}
