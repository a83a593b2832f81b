// Swipe: the result shows right of a divider, the bare image left of it. The divider is a range input, so the keyboard works.
import L from "leaflet";
import { t } from "./messages";

export class Swipe {
  private readonly box: HTMLElement;
  private readonly range: HTMLInputElement;

  /** Clip some panes of a map; `changed` hears of every move (share 0-1, or null when off). */
  constructor(private readonly map: L.Map, private readonly panes: string[], private readonly changed: (share: number | null) => void) {
    this.box = L.DomUtil.create("div", "swipe", map.getContainer());
    this.box.hidden = true;
    this.range = L.DomUtil.create("input", "", this.box);
    Object.assign(this.range, { type: "range", min: "0", max: "1000", value: "500" });
    this.range.setAttribute("aria-label", t("swipe"));
    L.DomEvent.disableClickPropagation(this.box);
    this.range.addEventListener("input", () => this.update());
    this.range.addEventListener("pointerdown", () => map.dragging.disable());
    for (const end of ["pointerup", "pointercancel"]) this.range.addEventListener(end, () => map.dragging.enable());
    map.on("move zoomend resize", () => this.clip());
  }

  get active(): boolean {
    return !this.box.hidden;
  }

  /** Switch on at a share of the width, or off. */
  set(share: number | null): void {
    this.box.hidden = share === null;
    if (share !== null) this.range.value = String(Math.round(share * 1000));
    this.update();
  }

  focus(): void {
    this.range.focus();
  }

  private update(): void {
    this.clip();
    this.changed(this.active ? Number(this.range.value) / 1000 : null);
  }

  private clip(): void {
    const size = this.map.getSize();
    const x = (Number(this.range.value) / 1000) * size.x;
    this.box.style.setProperty("--at", `${x}px`);
    const from = this.map.containerPointToLayerPoint([x, 0]);
    const to = this.map.containerPointToLayerPoint([size.x, size.y]);
    const shape = `polygon(${from.x}px ${from.y}px, ${to.x}px ${from.y}px, ${to.x}px ${to.y}px, ${from.x}px ${to.y}px)`;
    for (const pane of this.panes) this.map.getPane(pane)!.style.clipPath = this.active ? shape : "";
  }
}
