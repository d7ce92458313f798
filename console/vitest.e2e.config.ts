import { defineConfig } from "vitest/config";

// The journeys share one browser and one server, so they run one after another.
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Vitest gives BASE_URL a meaning of its own inside tests, so the journeys get the caller's under another name.
    env: { CONSOLE_URL: process.env["BASE_URL"] ?? process.env["SIGNALBOX_URL"] ?? "" },
  },
});
