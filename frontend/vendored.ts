// Vendored as they are: the kit's style sheet, and a sprite of the icons that pages use, taken from one set.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const NAMES = [
  "activity", "adjustments-horizontal", "alert-triangle", "arrow-down", "arrow-up", "arrows-maximize", "arrows-sort",
  "book-2", "building-factory-2", "calendar", "check", "chevron-down", "chevron-left", "chevron-right", "circle-check",
  "circle-x", "clock", "cloud-upload", "columns-2", "copy", "download", "eye", "file-info", "help-circle", "history",
  "info-circle", "language", "layers-intersect", "layout-dashboard", "list-check", "lock", "logout", "map-2", "moon",
  "player-pause", "player-play", "polygon", "refresh", "satellite", "search", "settings", "shield-lock", "stack-2",
  "sun", "target", "trash", "upload", "user", "x", "zoom-in", "photo", "table", "cpu", "arrow-right", "ruler-2", "keyboard",
  "pencil", "report", "arrow-back-up", "checks", "circle-plus", "plant-2", "eraser", "file-zip", "shovel",
  "droplet", "ripple", "movie", "device-cctv", "player-track-prev", "player-track-next", "zoom-out",
];

const read = (path: string) => readFileSync(fileURLToPath(new URL(`node_modules/${path}`, import.meta.url)), "utf8");

// Packages that end up in the build beside those the bundler reports: styles, icons and what the worker imports,
// and what leaflet-geoman has built into its own file.
const ALSO = [
  "@noble/hashes", "@tabler/icons", "bootstrap", "leaflet", "@turf/boolean-contains", "@turf/kinks", "@turf/line-intersect",
  "@turf/line-split", "lodash", "polyclip-ts",
];

/** The licence of a package with its name and version, as its terms ask to be kept with copies. */
function licence(path: string): string {
  const about = JSON.parse(read(`${path}/package.json`)) as { name: string; version: string; license: string };
  const folder = fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${path} has no licence file`);
  return `${about.name} ${about.version} (${about.license})\n\n${read(`${path}/${file}`).trim()}\n`;
}

/** Emits minegis/tabler.css, minegis/icons.svg (one symbol per icon) and LICENSES.txt of everything built in. */
export function vendored(): Plugin {
  return {
    name: "vendored",
    generateBundle(_options, bundle) {
      const kit = read("@tabler/core/dist/css/tabler.min.css").replace(/\/\*# sourceMappingURL=.*?\*\//, "");
      this.emitFile({ type: "asset", fileName: "minegis/tabler.css", source: kit });
      const symbols = NAMES.map((name) => {
        const body = read(`@tabler/icons/icons/outline/${name}.svg`).replace(/<!--[\s\S]*?-->/, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)?.[1];
        if (!body) throw new Error(`icon ${name} has no drawing`);
        const paths = body.replace(/<path stroke="none"[^>]*\/>/, "").replace(/\s*\n\s*/g, "");
        return `<symbol id="${name}" viewBox="0 0 24 24">${paths}</symbol>`;
      });
      const source = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`;
      this.emitFile({ type: "asset", fileName: "minegis/icons.svg", source });
      const modules = Object.values(bundle).flatMap((part) => (part.type === "chunk" ? part.moduleIds : []));
      const used = modules.map((id) => id.match(/\/node_modules\/((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//)?.[1]).filter((name) => name !== undefined);
      const texts = [...new Set([...used, ...ALSO])].sort().map(licence);
      const rule = `\n${"-".repeat(100)}\n\n`; // @tabler/core (MIT) carries its notice at the top of tabler.css
      this.emitFile({ type: "asset", fileName: "minegis/LICENSES.txt", source: texts.join(rule) });
    },
  };
}
