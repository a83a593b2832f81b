// A box to drop files into, and a row for each on its way; when one has arrived, the box's event lets the table follow.
import htmx from "htmx.org";
import { fileSize, number, t } from "./messages";
import { toast } from "./toast";
import { FileUpload, type Stage } from "./upload";

const drop = document.getElementById("drop");
const list = document.getElementById("uploads")!;
const model = document.getElementById("upload-model") as HTMLTemplateElement;
const running = new Set<FileUpload>();

function add(file: File): void {
  const row = model.content.firstElementChild!.cloneNode(true) as HTMLElement;
  const part = (name: string) => row.querySelector<HTMLElement>(`[data-part="${name}"]`)!;
  const bar = part("bar");
  part("name").textContent = file.name;
  part("size").textContent = fileSize(file.size);
  list.prepend(row);
  const form = new FormData(document.getElementById("upload-options") as HTMLFormElement);
  const metadata: Record<string, string> = {};
  for (const [key, value] of form) if (typeof value === "string" && value.trim()) metadata[key] = value.trim();
  delete metadata.csrfmiddlewaretoken;

  const show = (stage: Stage, text = "") => {
    row.dataset.stage = stage;
    part("text").textContent = text || t(stage);
    if (stage === "failed") toast(`${file.name}: ${text}`, "danger");
    if (stage === "done") {
      toast(t("uploaded", { name: file.name }), "success");
      setTimeout(() => row.remove(), 4000);
      htmx.trigger(document.body, drop!.dataset.changed ?? "changed", {});
    }
    if (stage === "done" || stage === "failed") running.delete(upload);
  };
  const progress = (share: number, speed: number | null) => {
    bar.style.width = `${share * 100}%`;
    bar.parentElement!.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    const left = speed && speed > 0 ? Math.ceil((file.size * (1 - share)) / speed) : null;
    const rest = left === null ? "" : ` · ${fileSize(speed!)}/s · ${t("secondsLeft", { seconds: number(left) })}`;
    part("text").textContent = `${t(row.dataset.stage ?? "sending")} ${number(share * 100)} %${rest}`;
  };
  const upload = new FileUpload(file, metadata, { stage: show, progress });
  const begin = () => {
    running.add(upload);
    upload.start().catch((error: unknown) => show("failed", String(error)));
  };
  part("pause").addEventListener("click", () => void upload.pause());
  part("resume").addEventListener("click", () => upload.resume());
  part("retry").addEventListener("click", begin);
  part("cancel").addEventListener("click", () => {
    running.delete(upload);
    void upload.cancel();
    row.remove();
  });
  begin();
}

/** Let the page's box take files; pages without one (readers) have nothing to do. */
export function startUploadBox(): void {
  if (!drop) return;
  const input = drop.querySelector<HTMLInputElement>("input[type=file]")!;
  const take = (files: FileList | null | undefined) => {
    for (const file of files ?? []) add(file);
  };
  const chosen = () => {
    take(input.files);
    input.value = "";
  };
  input.addEventListener("change", chosen);
  chosen(); // files chosen while this script was still on its way
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take((event as DragEvent).dataTransfer?.files);
  });
  addEventListener("beforeunload", (event) => {
    if (running.size) event.preventDefault();
  });
}
