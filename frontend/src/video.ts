// One clip: original and result played as one, a divider between them, frame by frame, zoom; sliders with a live still.
import { number, t } from "./messages";
import { toast } from "./toast";

type Params = Record<string, number | string | boolean>;
interface PlayerData {
  clip: string;
  kind: "video" | "image";
  rate: number;
  frames: number;
  seconds: number;
  preview: string;
  estimate: string | null;
  presets: Record<string, Params>;
  result: string | null;
}
interface Finding {
  code: string;
  severity: string;
  message_zh: string;
  message_en: string;
}
interface Preview {
  before: string;
  after: string;
  readings: Record<string, number>;
  findings: Finding[];
  seconds: number;
  took_ms: number;
}

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T | null;
const data = JSON.parse(byId("player-data")!.textContent!) as PlayerData;
const player = byId("player")!;
const stage = byId("stage")!;
const layers = byId("layers")!;
const afterLayer = byId("after-layer")!;
const before = byId<HTMLVideoElement>("before");
const after = byId<HTMLVideoElement>("after");
const stillBefore = byId<HTMLImageElement>("still-before")!;
const stillAfter = byId<HTMLImageElement>("still-after")!;
const divider = byId<HTMLInputElement>("divider")!;
const pinForm = byId<HTMLFormElement>("pin-form");
const english = document.documentElement.lang.startsWith("en");

// ---- The view: divider and zoom --------------------------------------------------------------------------------
const view = { scale: 1, x: 0, y: 0 };

function showView(): void {
  const { width, height } = stage.getBoundingClientRect();
  view.x = Math.min(0, Math.max(width * (1 - view.scale), view.x));
  view.y = Math.min(0, Math.max(height * (1 - view.scale), view.y));
  layers.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  const at = (Number(divider.value) / 1000) * width;
  stage.style.setProperty("--at", `${at}px`);
  afterLayer.style.clipPath = `inset(0 0 0 ${Math.max(0, (at - view.x) / view.scale)}px)`;
  byId("zoom")!.textContent = `${number(view.scale * 100)} %`;
}

/** Zoom so that the picture's point at (x, y) of the stage stays there. */
function zoom(factor: number, x?: number, y?: number): void {
  const { width, height } = stage.getBoundingClientRect();
  const [px, py] = [x ?? width / 2, y ?? height / 2];
  const scale = Math.min(12, Math.max(1, view.scale * factor));
  view.x = px - ((px - view.x) * scale) / view.scale;
  view.y = py - ((py - view.y) * scale) / view.scale;
  view.scale = scale;
  showView();
}

function whole(): void {
  Object.assign(view, { scale: 1, x: 0, y: 0 });
  showView();
}

divider.addEventListener("input", showView);
stage.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey && view.scale === 1 && event.deltaY > 0) return; // the page scrolls on
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - box.left, event.clientY - box.top);
  },
  { passive: false },
);
stage.addEventListener("pointerdown", (event) => {
  if (event.target === divider || view.scale === 1) return;
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  const from = { x: event.clientX - view.x, y: event.clientY - view.y };
  const move = (moved: PointerEvent) => {
    view.x = moved.clientX - from.x;
    view.y = moved.clientY - from.y;
    showView();
  };
  stage.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"] as const) stage.addEventListener(end, () => stage.removeEventListener("pointermove", move), { once: true });
});
new ResizeObserver(showView).observe(stage);
byId("zoom-in")!.addEventListener("click", () => zoom(1.5));
byId("zoom-out")!.addEventListener("click", () => zoom(1 / 1.5));
byId("zoom-fit")!.addEventListener("click", whole);

// ---- Playing: the original leads, the result follows within half a frame ------------------------------------------
const period = 1 / data.rate;
let trial = false; // a still with trial parameters is shown

const frameNow = () => (before ? Math.min(data.frames - 1, Math.max(0, Math.floor(before.currentTime * data.rate + 0.01))) : 0);

/** Minutes, seconds and hundredths of a moment. */
function clock(seconds: number): string {
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)}:${rest < 10 ? "0" : ""}${rest.toFixed(2)}`;
}

function mode(still: boolean): void {
  trial = still;
  player.dataset.mode = still || data.kind === "image" ? "still" : "video";
  player.dataset.after = still ? "still" : after || (data.kind === "image" && data.result) ? "result" : "none";
}

function showTime(): void {
  if (!before) return;
  const frame = frameNow();
  byId<HTMLInputElement>("seek")!.value = String(frame);
  byId("time")!.textContent = t("frameOf", { frame: number(frame), frames: number(data.frames - 1), time: clock(frame * period) });
  player.dataset.frame = String(frame);
  tellPin();
}

function tellPin(): void {
  if (!pinForm) return;
  const seconds = before ? before.currentTime : 0;
  (pinForm.elements.namedItem("seconds") as HTMLInputElement).value = String(seconds);
  const button = byId("pin-frame");
  if (button) button.textContent = before ? t("pinFrame", { frame: number(frameNow()) }) : "";
}

/** Both at the middle of a frame, where rounding of times cannot show its neighbour. */
function seekFrame(frame: number): void {
  if (!before) return;
  const kept = Math.min(data.frames - 1, Math.max(0, frame));
  const seconds = (kept + 0.5) * period;
  before.currentTime = seconds;
  if (after) after.currentTime = seconds;
  showTime();
  if (trial) preview();
}

function follow(): void {
  if (!before || before.paused) return;
  if (after && after.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
    const late = before.currentTime - after.currentTime;
    if (Math.abs(late) > 0.25) after.currentTime = before.currentTime;
    after.playbackRate = Math.abs(late) > period / 2 ? Math.min(1.5, Math.max(0.5, 1 + late * 2)) : 1;
  }
  showTime();
  requestAnimationFrame(follow);
}

async function play(): Promise<void> {
  if (!before) return;
  mode(false);
  if (before.ended || frameNow() >= data.frames - 1) seekFrame(0);
  await Promise.all([before.play(), after?.play()]);
  requestAnimationFrame(follow);
}

function pause(): void {
  before?.pause();
  after?.pause();
}

if (before) {
  const button = byId<HTMLButtonElement>("play")!;
  const playing = (yes: boolean) => button.setAttribute("aria-pressed", String(yes));
  before.addEventListener("play", () => playing(true));
  before.addEventListener("pause", () => {
    playing(false);
    after?.pause();
    seekFrame(frameNow());
  });
  before.addEventListener("ended", () => after?.pause());
  // A result that has to wait for its bytes holds the original back, too.
  after?.addEventListener("waiting", () => {
    if (!before.paused && !after.seeking) before.playbackRate = 0.5;
  });
  after?.addEventListener("playing", () => (before.playbackRate = 1));
  for (const video of [before, after]) {
    video?.addEventListener("seeked", () => {
      if (before.paused) drawHistogram();
    });
    video?.addEventListener("loadeddata", drawHistogram);
    video?.addEventListener("error", () => toast(t("requestFailed"), "danger"));
  }
  button.addEventListener("click", () => (before.paused ? void play() : pause()));
  byId("frame-back")!.addEventListener("click", () => step(-1));
  byId("frame-on")!.addEventListener("click", () => step(1));
  byId<HTMLInputElement>("seek")!.addEventListener("input", (event) => {
    pause();
    seekFrame(Number((event.target as HTMLInputElement).value));
  });
  before.addEventListener("loadedmetadata", () => seekFrame(0), { once: true });
  if (before.readyState >= HTMLMediaElement.HAVE_METADATA) seekFrame(0);
  setInterval(() => {
    if (!before.paused) drawHistogram();
  }, 500);
}

function step(frames: number): void {
  const from = frameNow();
  pause();
  seekFrame(from + frames);
}

const KEYS: Record<string, () => void> = {
  " ": () => (before?.paused ? void play() : pause()),
  ",": () => step(-1),
  ".": () => step(1),
  ArrowLeft: () => step(-Math.round(data.rate)),
  ArrowRight: () => step(Math.round(data.rate)),
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  "0": whole,
  "[": () => moveDivider(-50),
  "]": () => moveDivider(50),
  e: () => {
    const details = pinForm?.closest("details");
    if (!details) return;
    pause();
    details.open = true;
    pinForm!.querySelector<HTMLElement>("select")?.focus();
  },
};

function moveDivider(by: number): void {
  divider.value = String(Number(divider.value) + by);
  showView();
}

document.addEventListener("keydown", (event) => {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, dialog")) return;
  if (event.key === " " && target.closest("button, a, summary")) return; // the key presses those
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

// ---- Histogram ---------------------------------------------------------------------------------------------------
const canvas = byId<HTMLCanvasElement>("histogram")!;
const sampler = document.createElement("canvas");

function luma(source: HTMLVideoElement | HTMLImageElement | null): Float32Array | null {
  const ready = source instanceof HTMLVideoElement ? source.readyState >= 2 : source?.complete && source.naturalWidth > 0 && !source.hidden;
  if (!source || !ready) return null;
  sampler.width = 240;
  sampler.height = 135;
  const context = sampler.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(source, 0, 0, 240, 135);
  const pixels = context.getImageData(0, 0, 240, 135).data;
  const bins = new Float32Array(64);
  for (let i = 0; i < pixels.length; i += 4) {
    const bin = (0.299 * pixels[i]! + 0.587 * pixels[i + 1]! + 0.114 * pixels[i + 2]!) / 4;
    bins[Math.min(63, Math.floor(bin))]! += 1;
  }
  return bins;
}

function drawHistogram(): void {
  const stills = player.dataset.mode === "still";
  const curves = [luma(stills ? stillBefore : before), luma(stills ? stillAfter : after)];
  const top = Math.max(1, ...curves.flatMap((bins) => (bins ? [...bins] : [])));
  const context = canvas.getContext("2d")!;
  const style = getComputedStyle(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  curves.forEach((bins, side) => {
    if (!bins) return;
    context.beginPath();
    bins.forEach((count, i) => context.lineTo((i / 63) * canvas.width, canvas.height - 3 - (Math.sqrt(count / top)) * (canvas.height - 8)));
    context.lineWidth = 2.5;
    context.strokeStyle = style.getPropertyValue(side ? "--after" : "--before");
    context.setLineDash(side ? [] : [7, 5]);
    context.stroke();
  });
  canvas.dataset.curves = String(curves.filter(Boolean).length);
}
for (const still of [stillBefore, stillAfter]) still.addEventListener("load", drawHistogram);

// ---- Parameters: a slider moves, the still follows; only the latest answer counts -----------------------------------
const form = byId<HTMLFormElement>("parameters");
const preset = byId<HTMLSelectElement>("preset");
const auto = byId<HTMLInputElement>("window-auto");
const sliders = form ? [...form.querySelectorAll<HTMLInputElement>("input[type=range]")] : [];
const boxes = form ? [...form.querySelectorAll<HTMLInputElement>("[data-for=lednet] input")] : [];
const busy = byId("busy")!;
let waiting: ReturnType<typeof setTimeout> | undefined;
let running: AbortController | null = null;

const method = () => form?.querySelector<HTMLInputElement>("[name=method]:checked")?.value ?? "dehaze";

function params(): Params {
  if (method() === "lednet") return Object.fromEntries(boxes.map((box) => [box.name, box.checked]));
  const chosen: Params = Object.fromEntries(sliders.map((slider) => [slider.name, Number(slider.value)]));
  if (auto?.checked) chosen.window_size = "auto";
  return chosen;
}

function showValues(): void {
  for (const slider of sliders) {
    const whole = slider.name === "window_size";
    slider.disabled = whole && Boolean(auto?.checked);
    byId(`${slider.name}-value`)!.textContent = slider.disabled ? "auto" : number(Number(slider.value), whole ? 0 : 2);
  }
}

function preview(): void {
  clearTimeout(waiting);
  waiting = setTimeout(() => void ask(), 40);
}

async function ask(): Promise<void> {
  running?.abort();
  const mine = (running = new AbortController());
  const state = byId("preview-state")!;
  state.textContent = t("previewing");
  busy.hidden = false;
  try {
    const answer = await fetch(data.preview, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": document.body.dataset.csrf ?? "" },
      body: JSON.stringify({ seconds: before?.currentTime ?? 0, method: method(), preset: preset?.value, params: params() }),
      signal: mine.signal,
    });
    const body = (await answer.json()) as Preview & { title?: string; code?: string };
    if (!answer.ok) throw new Error(`${body.title ?? ""} (${body.code ?? answer.status})`);
    stillBefore.src = body.before;
    stillAfter.src = body.after;
    await Promise.all([stillBefore.decode(), stillAfter.decode()]);
    if (mine.signal.aborted) return;
    stillBefore.hidden = stillAfter.hidden = false;
    mode(true);
    showReadings(body.readings);
    showNotes(body.findings);
    state.textContent = t("previewed", { time: clock(body.seconds), ms: number(body.took_ms) });
    player.dataset.previews = String(Number(player.dataset.previews ?? 0) + 1);
    drawHistogram();
    void estimate();
  } catch (error) {
    if (mine.signal.aborted) return;
    state.textContent = "";
    toast(error instanceof Error ? error.message : t("requestFailed"), "danger");
  } finally {
    if (running === mine) busy.hidden = true;
  }
}

// ---- How long the whole clip would take, before anybody starts it -------------------------------------------------
const LONG = 600; // seconds above which the text warns
const told = byId("estimate");
let estimated = ""; // the method that the text is of

/** A duration in its largest unit. */
function duration(seconds: number): string {
  const [unit, size] = seconds >= 5400 ? (["hour", 3600] as const) : seconds >= 90 ? (["minute", 60] as const) : (["second", 1] as const);
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: unit === "hour" ? 1 : 0 }).format(Math.max(1, seconds / size));
}

async function estimate(): Promise<void> {
  const wanted = method();
  if (!told || !data.estimate || estimated === wanted) return;
  estimated = wanted;
  told.className = "soft m-0";
  told.textContent = t("estimating");
  try {
    const answer = await fetch(`${data.estimate}?method=${wanted}`);
    const body = (await answer.json()) as { seconds: number; ahead: number };
    if (wanted !== method()) return;
    if (!answer.ok) throw new Error();
    const ahead = body.ahead ? ` · ${t("estimateAhead", { n: number(body.ahead) })}` : "";
    told.textContent = t("estimate", { time: duration(body.seconds) }) + ahead;
    told.className = body.seconds > LONG ? "state-care m-0" : "soft m-0";
    told.dataset.seconds = body.seconds.toFixed(1);
  } catch {
    if (wanted !== method()) return;
    told.textContent = "";
    estimated = "";
  }
}

const SHARES: Record<string, number> = { saturated: 1, brightened: 0, dehazed: 0 }; // decimals of their percent
const RATIOS = ["brightness", "contrast_gain", "noise", "flicker"];

function showReadings(readings: Record<string, number>): void {
  for (const cell of document.querySelectorAll<HTMLElement>("[data-night]")) cell.hidden = readings.brightened === undefined;
  for (const cell of document.querySelectorAll<HTMLElement>("[data-reading]")) {
    const name = cell.dataset.reading!;
    const value = readings[name];
    if (value === undefined || (name === "residual" && method() === "lednet")) cell.textContent = "—";
    else if (name in SHARES) cell.textContent = `${number(value * 100, SHARES[name])} %`;
    else cell.textContent = `${RATIOS.includes(name) ? "×" : ""}${number(value, value >= 1 ? 2 : 3)}`;
  }
}

function showNotes(findings: Finding[]): void {
  byId("preview-notes")!.replaceChildren(
    ...findings.map((finding) => {
      const line = document.createElement("div");
      line.className = "finding state-care";
      line.textContent = `${finding.code} ${english ? finding.message_en : finding.message_zh}`;
      return line;
    }),
  );
}

for (const slider of sliders) {
  slider.addEventListener("input", () => {
    pause();
    showValues();
    preview();
  });
}
form?.addEventListener("change", (event) => {
  const changed = event.target as HTMLInputElement;
  if (changed.name !== "method" && !boxes.includes(changed)) return;
  form.dataset.method = method();
  pause();
  preview();
  void estimate();
});
byId("start")?.addEventListener("pointerenter", () => void estimate());
byId("start")?.addEventListener("focus", () => void estimate());
auto?.addEventListener("change", () => {
  showValues();
  preview();
});
preset?.addEventListener("change", () => {
  const values = data.presets[preset.value];
  for (const slider of sliders) {
    const value = values?.[slider.name];
    if (typeof value === "number") slider.value = String(value);
  }
  if (auto) auto.checked = values?.window_size === "auto";
  showValues();
  preview();
});
// A network takes its time: said at once. Dehazing is fast, and asking would load its kernels for nothing.
if (!data.result && method() !== "dehaze") void estimate();
showValues();
mode(false);
showView();
showTime();
