// A list of things to go through one by one: the list, the map and the panel of one thing move together.
import L from "leaflet";
import { dialogOpen } from "./dialog";
import { isTyping, latLngBounds, type Bounds } from "./map";

/** What the panel says about the thing that it shows. */
export interface Item {
  bounds: Bounds;
  geometry: string;
}

export class Queue {
  chosen: number | null = null;
  /** What is shown when the list has been fetched again. */
  following: number | null = null;

  /**
   * `name` is the parameter of the address and the id of the panel; rows and panel carry it as data attribute.
   * `urlOf` answers the panel; `undo` takes the last decision back.
   */
  constructor(
    private readonly name: "piece" | "patch",
    map: L.Map,
    private readonly urlOf: (id: number) => string,
    private readonly undo: () => void,
  ) {
    map.createPane("item").style.zIndex = "430";
    const outline = L.geoJSON(undefined, { pane: "item", interactive: false, style: { className: "piece-outline", fill: false } }).addTo(map);
    document.body.addEventListener("click", (event) => {
      const row = (event.target as HTMLElement).closest<HTMLElement>("[data-open]");
      if (row) this.open(Number(row.dataset.open));
    });
    // What was passed by on the way to another thing never shows: a key would find a panel that is not the chosen one's.
    document.body.addEventListener("htmx:beforeSwap", (event) => {
      const answer = (event as CustomEvent<{ target: HTMLElement; shouldSwap: boolean; requestConfig: { path: string } }>).detail;
      if (answer.target.id === name && this.chosen !== null && answer.requestConfig.path !== urlOf(this.chosen)) answer.shouldSwap = false;
    });
    document.body.addEventListener("htmx:afterSettle", (event) => {
      const target = (event as CustomEvent<{ target: HTMLElement }>).detail.target;
      if (target.id === name) {
        const item = JSON.parse(document.getElementById("item-data")!.textContent!) as Item;
        outline.clearLayers();
        outline.addData(JSON.parse(item.geometry) as GeoJSON.GeoJsonObject);
        map.fitBounds(latLngBounds(item.bounds), { padding: [60, 60], maxZoom: 18 });
      } else if (target.id === "queue") {
        this.mark();
        if (this.following !== null) this.open(this.following);
        this.following = null;
      }
    });
    addEventListener("keydown", (event) => this.press(event));
  }

  /** The rows of the list. */
  rows(): HTMLElement[] {
    return [...document.querySelectorAll<HTMLElement>(`#queue li[data-${this.name}]`)];
  }

  /** Show a thing at the right and on the map. */
  open(id: number): void {
    this.chosen = id;
    const url = new URL(location.href);
    url.searchParams.set(this.name, String(id));
    history.replaceState(history.state, "", url);
    this.mark();
    void window.htmx.ajax("get", this.urlOf(id), { source: `#${this.name}`, target: `#${this.name}`, swap: "innerHTML" });
  }

  /** The thing at hand is about to leave the list: its neighbour takes its place. */
  leave(): void {
    const list = this.rows();
    const at = this.here();
    this.following = this.idOf(list[at + 1]) ?? this.idOf(list[at - 1]) ?? this.chosen;
  }

  /** Fetch the list again. */
  refresh(): void {
    const url = new URL(location.href);
    void window.htmx.ajax("get", url.pathname + url.search, { source: ".queue-side", target: "#queue", swap: "outerHTML" });
  }

  private idOf(row: HTMLElement | undefined): number | null {
    return row ? Number(row.dataset[this.name]) : null;
  }

  private here(): number {
    return this.rows().findIndex((row) => this.idOf(row) === this.chosen);
  }

  private mark(): void {
    for (const row of this.rows()) {
      const current = this.idOf(row) === this.chosen;
      row.classList.toggle("selected", current);
      row.querySelector("[data-open]")?.setAttribute("aria-current", String(current));
      if (current) row.scrollIntoView({ block: "nearest" });
    }
  }

  private step(by: number): void {
    const list = this.rows();
    const at = this.here();
    const next = this.idOf(list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))]);
    if (next !== null && next !== this.chosen) this.open(next);
  }

  private press(event: KeyboardEvent): void {
    if (dialogOpen()) return;
    const writes = (event.target as HTMLElement).matches("input[type=text], input[type=number], textarea");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !writes) {
      event.preventDefault();
      this.undo();
      return;
    }
    if (isTyping(event)) return;
    const key = event.key.toLowerCase();
    if (key === "j") this.step(1);
    else if (key === "k") this.step(-1);
    else if (key === "x") document.querySelector<HTMLInputElement>("#queue li.selected input")?.click();
    // Only of the thing that is shown: a key pressed while the next one is still coming must not decide unseen ground.
    else document.querySelector<HTMLButtonElement>(`#${this.name} [data-${this.name}="${this.chosen}"] [data-key="${CSS.escape(key)}"]`)?.click();
  }
}
