// What one person says about superpixels. Keys are sent in their order; each request names the version it saw, so that a
// second window of the same person is noticed. Keys that are not saved yet outlive the page in the browser's storage.
import { t } from "./messages";

export const UNSURE = 255;
export const NONE = 254;
const AT_ONCE = 500;
const PATIENCE = 3000; // milliseconds before a lost link is tried again

interface Said {
  superpixel: number;
  label: number;
}

interface Answer {
  version: number;
  labels: Record<string, number>;
  undone: number | null;
}

interface Told {
  changed(pieces: Iterable<number>): void;
  saving(waiting: number, trouble: boolean): void;
  trouble(text: string): void;
}

export class LabelSheet {
  private labels = new Map<number, number>();
  private version = 0;
  private waiting: Said[] = [];
  private sending: Promise<void> | null = null;
  private timer = 0;

  constructor(
    private readonly api: string,
    private readonly store: string,
    private readonly told: Told,
  ) {
    addEventListener("online", () => void this.send());
  }

  /** Class id or UNSURE of a piece. */
  label(piece: number): number | undefined {
    return this.labels.get(piece);
  }

  all(): IterableIterator<[number, number]> {
    return this.labels.entries();
  }

  /** Fetch what was said; false where the server refuses, which is told. */
  async load(): Promise<boolean> {
    const answer = await fetch(`${this.api}labels/`);
    if (!answer.ok) {
      await this.explain(answer);
      return false;
    }
    this.waiting = JSON.parse(localStorage.getItem(this.store) ?? "[]") as Said[];
    this.take((await answer.json()) as Answer);
    void this.send();
    return true;
  }

  say(superpixel: number, label: number): void {
    this.waiting.push({ superpixel, label });
    this.keep();
    this.put(superpixel, label);
    this.told.changed([superpixel]);
    void this.send();
  }

  /** Take the newest label back; its piece, or 0 where there was none or the link is lost. */
  async undo(): Promise<number> {
    await this.send();
    if (this.waiting.length) return 0; // not saved yet: the link is lost, which is shown
    const answer = await this.post("undo/", { version: this.version });
    if (!answer) return 0;
    if (answer.status === 409) {
      await this.load();
      return 0;
    }
    if (!answer.ok) {
      await this.explain(answer);
      return 0;
    }
    const body = (await answer.json()) as Answer;
    this.take(body);
    return body.undone ?? 0;
  }

  private put(piece: number, label: number): void {
    if (label === NONE) this.labels.delete(piece);
    else this.labels.set(piece, label);
  }

  /** What the server holds, with what is not saved yet on top. */
  private take(answer: Answer): void {
    const before = this.labels;
    this.version = answer.version;
    this.labels = new Map(Object.entries(answer.labels).map(([piece, label]) => [Number(piece), label]));
    for (const said of this.waiting) this.put(said.superpixel, said.label);
    const pieces = new Set([...before.keys(), ...this.labels.keys()]);
    this.told.changed([...pieces].filter((piece) => before.get(piece) !== this.labels.get(piece)));
    this.told.saving(this.waiting.length, false);
  }

  private keep(): void {
    if (this.waiting.length) localStorage.setItem(this.store, JSON.stringify(this.waiting));
    else localStorage.removeItem(this.store);
  }

  private send(): Promise<void> {
    clearTimeout(this.timer);
    this.sending ??= this.drain().finally(() => (this.sending = null));
    return this.sending;
  }

  private async drain(): Promise<void> {
    while (this.waiting.length) {
      this.told.saving(this.waiting.length, false);
      const sent = this.waiting.slice(0, AT_ONCE);
      const answer = await this.post("labels/", { version: this.version, labels: sent });
      if (answer?.status === 409) {
        // Another window of the same person was faster: take what it said, then say the rest.
        const now = await fetch(`${this.api}labels/`).catch(() => null);
        if (!now?.ok) return this.later();
        this.take((await now.json()) as Answer);
      } else if (answer?.status === 400 || answer?.status === 422) {
        this.waiting.splice(0, sent.length); // never acceptable, so sending it again would hold up the rest
        this.keep();
        await this.explain(answer);
        const now = await fetch(`${this.api}labels/`).catch(() => null);
        if (now?.ok) this.take((await now.json()) as Answer);
      } else if (!answer?.ok) {
        if (answer) await this.explain(answer);
        return this.later();
      } else {
        const body = (await answer.json()) as Answer;
        this.waiting.splice(0, sent.length);
        this.keep();
        this.take(body);
        this.told.trouble("");
      }
    }
    this.told.saving(0, false);
  }

  private later(): void {
    this.told.saving(this.waiting.length, true);
    this.timer = window.setTimeout(() => void this.send(), PATIENCE);
  }

  private async post(name: string, body: unknown): Promise<Response | null> {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": document.body.dataset.csrf ?? "" };
    return fetch(this.api + name, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
  }

  private async explain(answer: Response): Promise<void> {
    const problem = (await answer.json().catch(() => ({}))) as { title?: string; detail?: string; code?: string };
    this.told.trouble([problem.code, problem.title, problem.detail].filter(Boolean).join(" · ") || t("requestFailed"));
  }
}
