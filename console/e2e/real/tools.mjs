/**
 * A server of tools over standard input and output, for the journeys against the real binary: each tool says what it was
 * given, so that a journey sees that exactly the approved call was made.
 */
import { createInterface } from "node:readline";

const text = { type: "string" };
const tool = (name, description, properties) => ({ name, description, inputSchema: { type: "object", properties } });

const TOOLS = [
  tool("read_file", "Reads a file.", { path: text }),
  tool("write_file", "Writes a file.", { path: text, content: text }),
  tool("delete_file", "Deletes a file.", { path: text }),
];

function answer({ method, params }) {
  if (method === "initialize") {
    return { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "desk", version: "1" } };
  }
  if (method === "tools/list") return { tools: TOOLS };
  if (method === "tools/call") return { content: [{ type: "text", text: `did ${params.name} ${JSON.stringify(params.arguments)}` }] };
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.id === undefined) continue;
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: answer(message) }) + "\n");
}
