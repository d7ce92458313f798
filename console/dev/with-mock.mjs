/** Runs a command with the mock server beside it: node dev/with-mock.mjs npm run e2e */
import { spawn } from "node:child_process";
import { KEY, start } from "./mock.mjs";

const { server, url } = await start();
const child = spawn(process.argv[2], process.argv.slice(3), { stdio: "inherit", env: { ...process.env, BASE_URL: url, SB_KEY: KEY } });
child.on("exit", (code) => {
  server.closeAllConnections();
  server.close();
  process.exit(code ?? 1);
});
