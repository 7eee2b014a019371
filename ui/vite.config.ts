import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the sources and hands /api and /login to a running `opgraph dev --port 3000`.
const server = "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    assetsDir: "static", // /assets/… are pages
    modulePreload: { polyfill: false }, // it would be an inline script
    assetsInlineLimit: 0, // data: addresses are refused by the policy of the pages
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/api": server, "/login": server } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
