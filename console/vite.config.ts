/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

// SIGNALBOX_URL lets the development server speak to a running instance; the mock is the default.
const api = process.env.SIGNALBOX_URL ?? "http://127.0.0.1:8099";

/** Lines of a file of texts: its names and its texts, as they are written. */
const texts = (file: string) => [...file.matchAll(/^ {2}("[\w.]+"): (".*"),$/gm)];

/** sharedNames builds the Korean texts as a list: their names are those of the English ones, in the same order, and need not be sent twice. */
const sharedNames = (): Plugin => ({
  name: "shared-names",
  apply: "build",
  enforce: "pre",
  transform(code, id) {
    const page = /\/i18n\/ko\/(?!index)(\w+)\.ts$/.exec(id)?.[1];
    if (page === undefined) return null;
    const all = [code, readFileSync(id.replace("/ko/", "/en/"), "utf8")];
    const [ko, en] = all.map((file) => texts(file).map(([, name]) => name).join());
    if (ko !== en || all.some((file) => file.match(/"[\w.]+":/g)?.length !== texts(file).length)) this.error("the texts do not have the names of the English ones, in their order and one a line: " + id);
    return `import { ${page} as en } from "../en/${page}";\nimport { named } from "../named";\nexport const ${page} = named(en, [${texts(code).map(([, , text]) => text).join()}]);`;
  },
});

export default defineConfig(({ command }) => ({
  plugins: [sharedNames(), react(command === "build" ? { jsxImportSource: "console" } : {})],
  resolve: { alias: { "console/jsx-runtime": fileURLToPath(new URL("src/jsx.ts", import.meta.url)) } },
  build: {
    target: "es2022",
    outDir: "dist",
    assetsDir: "assets",
    sourcemap: false,
    // What is bundled comes with its licence texts: the console links to this file.
    license: { fileName: "licenses.txt" },
    reportCompressedSize: false,
    // scripts/finish.mjs has the limit that counts.
    chunkSizeWarningLimit: 800,
    // No data: URLs: the content security policy allows files of this origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": api, "/mcp": api } },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"], environment: "node" },
}));
