// Short notices at the corner; screen readers hear them through the live region.
import Toast from "bootstrap/js/dist/toast";

export type Tone = "success" | "info" | "warning" | "danger";

/** Show a notice; a failure stays until it is closed. */
export function toast(text: string, tone: Tone = "info", link?: string): void {
  const region = document.getElementById("toasts");
  const model = document.getElementById("toast-model") as HTMLTemplateElement | null;
  if (!region || !model) return;
  const element = model.content.firstElementChild!.cloneNode(true) as HTMLElement;
  element.querySelector(".status-dot")!.classList.add(`bg-${tone}`);
  const body = element.querySelector<HTMLAnchorElement>("a")!;
  body.textContent = text;
  if (link) body.href = link;
  region.append(element);
  element.addEventListener("hidden.bs.toast", () => element.remove());
  new Toast(element, { autohide: tone !== "danger", delay: 6000 }).show();
}

/** Show the notices that the server put into the page. */
export function showServerNotices(): void {
  for (const item of document.querySelectorAll<HTMLElement>("#notices > li")) {
    toast(item.textContent!.trim(), (item.dataset.tone as Tone) || "info");
    item.remove();
  }
}
