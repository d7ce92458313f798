/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// SIGNALBOX_URL lets the development server speak to a running instance; the mock is the default.
const api = process.env.SIGNALBOX_URL ?? "http://127.0.0.1:8099";

export default defineConfig({
  plugins: [react()],
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
  server: { proxy: { "/api": api } },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"], environment: "node" },
});
