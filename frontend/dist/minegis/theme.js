// Runs before the first paint: without a stored choice the page follows the system.
if (!/(?:^|; )theme=/.test(document.cookie) && matchMedia("(prefers-color-scheme: dark)").matches) {
  document.documentElement.dataset.bsTheme = "dark";
}
