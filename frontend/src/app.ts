// Loaded on every page.
import "bootstrap/js/dist/dropdown";
import htmx from "htmx.org";
import "./app.css";
import { t } from "./messages";
import { initTheme } from "./theme";
import { showServerNotices, toast, type Tone } from "./toast";

interface EndedJob {
  text: string;
  tone: Tone;
  url: string;
}

initTheme(document.getElementById("theme"));
showServerNotices();

// The server tells the end of long work with an HX-Trigger header.
document.body.addEventListener("jobs-ended", (event) => {
  for (const job of (event as CustomEvent<{ jobs: EndedJob[] }>).detail.jobs) toast(job.text, job.tone, job.url);
});

// The other language shows the same place in the same view, which scripts keep in the address.
document.body.addEventListener("submit", (event) => {
  const next = (event.target as HTMLFormElement).querySelector<HTMLInputElement>("input[name=next][data-here]");
  if (next) next.value = location.pathname + location.search + location.hash;
});

// A refusal comes as a problem body with its code; an open dialog says it itself.
document.body.addEventListener("htmx:responseError", (event) => {
  const { xhr } = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail;
  if (!xhr.getResponseHeader("Content-Type")?.startsWith("application/problem+json")) return;
  const problem = JSON.parse(xhr.responseText) as { code: string; title: string; detail: string };
  const told = !document.body.dispatchEvent(new CustomEvent("problem", { detail: problem, cancelable: true }));
  if (!told) toast([problem.title, problem.detail, `(${problem.code})`].filter(Boolean).join(" "), "danger");
  said = true;
});

// A failed exchange is said once, not at every poll.
let said = false;
document.body.addEventListener("htmx:afterRequest", (event) => {
  const failed = Boolean((event as CustomEvent<{ failed?: boolean }>).detail.failed);
  if (failed && !said) toast(t("requestFailed"), "danger");
  said = failed;
});

// Selects that filter a list send their form at once.
document.body.addEventListener("change", (event) => {
  const field = event.target as HTMLElement;
  if (field.matches("[data-submit]")) (field as HTMLSelectElement).form?.requestSubmit();
});

window.htmx = htmx;
