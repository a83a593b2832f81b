// A camera's stream without its haze: started when asked for, played near its end, with how late it is.
import { number, t } from "./messages";
import { toast } from "./toast";

interface Live {
  stream_id: string;
  running: boolean;
  relay: { connected?: boolean; connections?: number; left_out?: number; per_frame?: number; behind?: number };
  age: number | null;
}

const FAR = 8; // seconds of fetched pictures that wait to be shown, after which the picture begins anew
const NEAR = 2; // above it the picture runs a little faster
const box = document.getElementById("live");
if (box) run(box);

function run(box: HTMLElement): void {
  const video = box.querySelector("video")!;
  const start = box.querySelector<HTMLButtonElement>("[data-live=start]");
  const stop = box.querySelector<HTMLButtonElement>("[data-live=stop]");
  const words = box.querySelector<HTMLElement>("[data-live=words]")!;
  const late = box.querySelector<HTMLElement>("[data-live=late]")!;
  let stream = box.dataset.stream || "";
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": document.body.dataset.csrf ?? "" };
    const answer = await fetch(`/api/v1/live-streams/${path}`, { ...init, headers });
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => ({}))) as { title?: string; code?: string };
    throw new Error(`${problem.title ?? t("requestFailed")} (${problem.code ?? answer.status})`);
  };

  const show = (state: "off" | "waiting" | "on", text: string) => {
    box.dataset.state = state;
    words.textContent = text;
    if (start) start.hidden = state !== "off";
    if (stop) stop.hidden = state === "off";
    video.hidden = state !== "on";
    if (state !== "on") late.textContent = "";
  };

  const native = video.canPlayType("application/vnd.apple.mpegurl") !== "";
  let detach: (() => void) | undefined; // lets go of the stream; the next look at it begins anew

  const letGo = () => {
    const before = detach;
    detach = undefined;
    before?.();
  };

  const play = async () => {
    if (detach) return;
    const address = `/api/v1/live-streams/${stream}/hls/index.m3u8`;
    const mine = (detach = () => video.removeAttribute("src"));
    if (native) video.src = address;
    else {
      const { attach } = await import("./hls-player");
      if (detach !== mine) return; // ended meanwhile
      detach = attach(video, address, () => (detach = undefined));
    }
    void video.play().catch(() => undefined); // a browser that wants a click first shows its own button
  };
  video.addEventListener("error", letGo);

  /** Age of the newest picture at the server, and how far the shown one lies before what the browser has fetched. */
  const lateness = (age: number): number | null => {
    if (!video.buffered.length || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
    const behind = Math.max(0, video.buffered.end(video.buffered.length - 1) - video.currentTime);
    if (behind > FAR) letGo(); // a live playlist cannot be sought in: begin anew at its end
    video.playbackRate = behind > NEAR ? 1.08 : 1;
    return age + behind;
  };

  const look = async () => {
    clearTimeout(timer);
    if (!stream) return;
    try {
      const live = (await (await ask(`${stream}/`)).json()) as Live;
      if (!live.running) {
        end(t("liveOver"));
        return;
      }
      if (live.age === null) show("waiting", t("liveConnecting"));
      else {
        void play();
        show("on", live.relay.connected ? "" : t("liveAway"));
        const seconds = lateness(live.age);
        if (seconds !== null) {
          box.dataset.late = seconds.toFixed(2);
          late.textContent = t("liveLate", { seconds: number(seconds, 1), ms: number((live.relay.per_frame ?? 0) * 1000) });
        }
      }
    } catch (error) {
      words.textContent = error instanceof Error ? error.message : t("requestFailed");
    }
    timer = setTimeout(() => void look(), 1000);
  };

  const end = (text: string) => {
    stream = "";
    letGo();
    video.load();
    show("off", text);
  };

  if (!native && !("MediaSource" in window || "ManagedMediaSource" in window)) {
    show("off", t("liveUnsupported"));
    if (start) start.disabled = true;
    return;
  }
  start?.addEventListener("click", () => {
    show("waiting", t("liveConnecting"));
    ask("", { method: "POST", body: JSON.stringify({ camera: box.dataset.camera }) })
      .then(async (answer) => {
        stream = ((await answer.json()) as Live).stream_id;
        await look();
      })
      .catch((error: Error) => {
        show("off", "");
        toast(error.message, "danger");
      });
  });
  stop?.addEventListener("click", () => {
    const ended = stream;
    clearTimeout(timer);
    end("");
    ask(`${ended}/`, { method: "DELETE" }).catch((error: Error) => toast(error.message, "danger"));
  });
  if (stream) void look();
  else show("off", "");
}
