// Texts for scripts come translated from the page: <template id="messages" data-…>, so there is one catalogue.
const texts = (document.getElementById("messages") as HTMLTemplateElement | null)?.dataset ?? {};

/** The text of a key, with {name} placeholders filled; the key itself shows a text that was forgotten. */
export function t(key: string, values: Record<string, string | number> = {}): string {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** The language of the page: "zh" or "en". */
export const language: "zh" | "en" = document.documentElement.lang.startsWith("en") ? "en" : "zh";
const locale = language === "en" ? "en-GB" : "zh-CN";

/** A number with a fixed count of decimals and grouped thousands. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A file size in KB, MB or GB (powers of 1024). */
export function fileSize(bytes: number): string {
  const unit = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  return `${number(bytes / 1024 ** unit, unit === 1 ? 0 : 1)} ${["", "KB", "MB", "GB"][unit]}`;
}
