// Import pages: one file is dropped or chosen, sent to be checked, and sent again to be imported.
import { initDialog } from "./dialog";
import { fileSize, number, t } from "./messages";

initDialog();

const form = document.getElementById("import") as HTMLFormElement | null;
const report = document.getElementById("report")!;

function initDrop(form: HTMLFormElement, drop: HTMLElement): void {
  const input = drop.querySelector<HTMLInputElement>("input[type=file]")!;
  const name = drop.querySelector<HTMLElement>("[data-file-name]")!;
  const empty = name.textContent;
  const show = () => {
    const file = input.files?.[0];
    name.textContent = file ? `${file.name} · ${fileSize(file.size)}` : empty;
  };
  input.addEventListener("change", show);
  show(); // a file that the browser kept over a reload
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const files = (event as DragEvent).dataTransfer?.files;
    if (!files?.length) return;
    input.files = files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // Another file has other layers, columns and classes: the answers to the old report mean nothing for it.
  form.addEventListener("change", (event) => {
    if (event.target === input) report.replaceChildren();
  });
}

function initSending(form: HTMLFormElement): void {
  const box = form.querySelector<HTMLElement>("[data-sending]")!;
  const text = box.querySelector<HTMLElement>("[data-sending-text]")!;
  const bar = box.querySelector<HTMLElement>("[data-sending-bar]")!;
  const problem = form.querySelector<HTMLElement>("[data-problem]")!;
  const share = (value: number) => {
    bar.style.width = `${value * 100}%`;
    bar.parentElement!.setAttribute("aria-valuenow", String(Math.round(value * 100)));
    text.textContent = value < 1 ? `${t("sending")} ${number(value * 100)} %` : t("reading");
  };
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== form) return;
    problem.hidden = true;
    box.hidden = false;
    share(0);
  });
  form.addEventListener("htmx:xhr:progress", (event) => {
    const { loaded, total, lengthComputable } = (event as CustomEvent<ProgressEvent>).detail;
    if (lengthComputable && total && !box.hidden) share(loaded / total);
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.target === form) box.hidden = true;
  });
  document.body.addEventListener("problem", (event) => {
    if (event.defaultPrevented) return;
    const said = (event as CustomEvent<{ code: string; title: string; detail: string }>).detail;
    problem.hidden = false;
    problem.textContent = [said.title, said.detail, `(${said.code})`].filter(Boolean).join(" ");
    event.preventDefault();
  });
  // Who works by keyboard or listens goes on at the verdict.
  report.addEventListener("htmx:afterSwap", () => {
    report.querySelector<HTMLElement>("[data-verdict]")?.focus();
    report.scrollIntoView({ block: "nearest" });
  });
}

if (form) {
  initDrop(form, form.querySelector<HTMLElement>("[data-drop]")!);
  initSending(form);
}
