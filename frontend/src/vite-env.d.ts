/// <reference types="vite/client" />

// app.ts puts htmx where other modules and the console find it.
interface Window {
  htmx: typeof import("htmx.org").default;
}
