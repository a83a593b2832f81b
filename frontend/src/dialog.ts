// Dialogs whose content the server sends: a native <dialog>, so focus stays inside and Escape closes it.
const dialog = document.getElementById("dialog") as HTMLDialogElement | null;

/** Whether a dialog is open: keys of the page then mean nothing. */
export const dialogOpen = (): boolean => Boolean(dialog?.open);

/** Open whatever htmx puts into #dialog, close at [data-close] and when the server says so. */
export function initDialog(): void {
  if (!dialog) return;
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if ((event as CustomEvent<{ target: HTMLElement }>).detail.target !== dialog) return;
    if (!dialog.open) dialog.showModal();
    dialog.querySelector<HTMLElement>("[autofocus], textarea, select, input:not([type=hidden]), button")?.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || (event.target as HTMLElement).closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.replaceChildren());
  document.body.addEventListener("dialog-close", () => dialog.close());
  // A refused request says its code inside the dialog, where the person looks.
  document.body.addEventListener("problem", (event) => {
    const problem = (event as CustomEvent<{ code: string; title: string; detail: string }>).detail;
    const place = dialog.open ? dialog.querySelector<HTMLElement>("[data-problem]") : null;
    if (!place) return;
    place.hidden = false;
    place.textContent = [problem.title, problem.detail, `(${problem.code})`].filter(Boolean).join(" ");
    event.preventDefault();
  });
}
