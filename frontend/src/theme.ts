// Light or dark: the choice lives in a cookie, so that the server paints the right one at once.

/** Let a button switch between light and dark. */
export function initTheme(button: HTMLElement | null): void {
  button?.addEventListener("click", () => {
    const root = document.documentElement;
    const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.bsTheme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
  });
}
