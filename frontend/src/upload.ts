// One file on its way: SHA-256 in a worker, then tus in 8 MB chunks, resumable after a reload from what the browser stored.
import { DetailedError, Upload } from "tus-js-client";
import HashWorker from "./hash-worker?worker";
import { language, t } from "./messages";

const CHUNK = 8 * 2 ** 20; // below the smallest body limit of common proxies
const HASH_LIMIT = 4 * 2 ** 30; // above it hashing would take minutes; the server hashes every file anyway

export type Stage = "hashing" | "sending" | "paused" | "done" | "failed";

export interface Watcher {
  stage(stage: Stage, text?: string): void;
  progress(share: number, bytesPerSecond: number | null): void;
}

interface Problem {
  code?: string;
  message_zh?: string;
  message_en?: string;
  hint_zh?: string;
  hint_en?: string;
}

export class FileUpload {
  private upload: Upload | null = null;
  private worker: Worker | null = null;
  private started = { at: 0, bytes: 0 };
  private ended = false;

  constructor(readonly file: File, private readonly metadata: Record<string, string>, private readonly watcher: Watcher) {}

  /** Hash, look for an interrupted upload of the same file, then send from where it stopped. */
  async start(): Promise<void> {
    this.ended = false;
    this.watcher.stage("hashing");
    const sha256 = this.file.size <= HASH_LIMIT ? await this.hash() : "";
    if (this.ended) return;
    this.upload = new Upload(this.file, {
      endpoint: "/api/v1/uploads/",
      chunkSize: CHUNK,
      retryDelays: [0, 1000, 3000, 5000, 10_000, 20_000],
      removeFingerprintOnSuccess: true,
      headers: { "X-CSRFToken": document.body.dataset.csrf ?? "" },
      metadata: { ...this.metadata, filename: this.file.name, ...(sha256 ? { sha256 } : {}) },
      onProgress: (sent, total) => this.watcher.progress(total ? sent / total : 1, this.speed(sent)),
      onSuccess: () => this.watcher.stage("done"),
      onError: (error) => this.watcher.stage("failed", explain(error)),
    });
    const [earlier] = await this.upload.findPreviousUploads();
    if (earlier) this.upload.resumeFromPreviousUpload(earlier);
    this.send();
  }

  /** Stop sending; what has arrived stays on the server. */
  async pause(): Promise<void> {
    await this.upload?.abort();
    this.watcher.stage("paused");
  }

  /** Go on after a pause. */
  resume(): void {
    this.send();
  }

  /** Give up and let the server forget the part that arrived. */
  async cancel(): Promise<void> {
    this.ended = true;
    this.worker?.terminate();
    await this.upload?.abort(true).catch(() => undefined); // nothing to delete when the server never knew it
  }

  private send(): void {
    this.started = { at: 0, bytes: 0 };
    this.watcher.stage("sending");
    this.upload?.start();
  }

  private speed(sent: number): number | null {
    const now = performance.now();
    if (!this.started.at) this.started = { at: now, bytes: sent };
    const seconds = (now - this.started.at) / 1000;
    return seconds > 1 ? (sent - this.started.bytes) / seconds : null;
  }

  private hash(): Promise<string> {
    const worker = new HashWorker();
    this.worker = worker;
    return new Promise((resolve, reject) => {
      worker.onmessage = (event: MessageEvent<{ share?: number; sha256?: string }>) => {
        if (event.data.share !== undefined) this.watcher.progress(event.data.share, null);
        if (event.data.sha256 === undefined) return;
        worker.terminate();
        resolve(event.data.sha256);
      };
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(this.file);
    });
  }
}

/** The server's coded message and remedy, or plain words about the link. */
function explain(error: Error): string {
  const body = error instanceof DetailedError ? error.originalResponse?.getBody() : undefined;
  if (!body) return t("linkLost");
  try {
    const problem = JSON.parse(body) as Problem;
    const message = language === "zh" ? problem.message_zh : problem.message_en;
    const hint = language === "zh" ? problem.hint_zh : problem.hint_en;
    return [`${problem.code ?? ""} ${message ?? ""}`.trim(), hint].filter(Boolean).join(" · ");
  } catch {
    return t("linkLost");
  }
}
