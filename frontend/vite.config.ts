// Stable file names: templates name them by {% static %}, and the web server adds the content hash.
import { defineConfig } from "vite";
import { vendored } from "./vendored";

export default defineConfig({
  base: "./",
  build: {
    outDir: "dist",
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    rollupOptions: {
      input: {
        app: "src/app.ts",
        overview: "src/overview.ts",
        scenes: "src/scenes.ts",
        scene: "src/scene.ts",
        books: "src/books.ts",
        edition: "src/edition.ts",
        decisions: "src/decisions.ts",
        plate: "src/plate.ts",
        "patch-queue": "src/patch-queue.ts",
        subsidence: "src/subsidence.ts",
        imports: "src/imports.ts",
        training: "src/training.ts",
        clips: "src/clips.ts",
        video: "src/video.ts",
        live: "src/live.ts",
      },
      output: {
        entryFileNames: "minegis/[name].js",
        chunkFileNames: "minegis/[name].js",
        assetFileNames: "minegis/[name][extname]",
      },
    },
  },
  worker: { format: "es", rollupOptions: { output: { entryFileNames: "minegis/[name].js" } } },
  plugins: [vendored()],
});
