/// <reference types="vite/client" />

// app.ts puts htmx where other modules and the console find it.
interface Window {
  htmx: typeof import("htmx.org").default;
}

// The light build (no subtitles, no second sound track) has the types of the whole one.
declare module "hls.js/light" {
  export { default } from "hls.js";
  export * from "hls.js";
}
