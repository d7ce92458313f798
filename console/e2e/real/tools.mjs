/**
 * Servers of tools over standard input and output, for the journeys against the real binary: each tool says what it was
 * given, so that a journey sees that exactly the approved call was made. The desk has files; the shelf changes what it says
 * of a tool when it is told to; the counter asks something before it sells.
 */
import { createInterface } from "node:readline";

const text = { type: "string" };
const tool = (name, description, properties, required = []) => ({ name, description, inputSchema: { type: "object", properties, required } });

const DESK = [
  tool("read_file", "Reads a file.", { path: text }),
  tool("write_file", "Writes a file.", { path: text, content: text }),
  tool("delete_file", "Deletes a file.", { path: text }),
];
const SHELF = [
  tool("look", "Looks for books.", {
    title: { type: "string", title: "Title", description: "Or a part of it." }, most: { type: "integer", default: 5 }, order: { enum: ["title", "year"] },
    old: { type: "boolean" }, tags: { type: "array", items: text }, range: { type: "object" },
  }, ["title"]),
  tool("note", "Notes something down.", { text }, ["text"]),
  tool("renew", "Changes what is said of look.", { description: text }),
  tool("fail", "Fails.", {}),
  tool("fetch", "Fetches a book.", { floor: { ...text, "x-mcp-header": "Floor" }, where: { type: "object", properties: { place: { type: "integer", "x-mcp-header": "Place" } } } }),
];
const COUNTER = [tool("order", "Orders a book.", { title: text })];
const name = process.argv[2] ?? "desk";
const tools = { shelf: SHELF, counter: COUNTER }[name] ?? DESK;
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");

/** What was asked and is not answered yet, by the id of the question. */
const open = new Map();

function asked(message) {
  const requestedSchema = { type: "object", properties: { copies: { type: "integer", title: "Copies" } }, required: ["copies"] };
  const id = "question " + open.size;
  send({ id, method: "elicitation/create", params: { message, requestedSchema } });
  return new Promise((answer) => open.set(id, answer));
}

async function called({ name, arguments: given }) {
  if (name === "order") return { content: [{ type: "text", text: `did order ${JSON.stringify(await asked(`How many of ${given.title}?`))}` }] };
  if (name === "fail") return { content: [{ type: "text", text: "the shelf is empty" }], isError: true };
  if (name === "renew") {
    SHELF[0].description = given.description;
    send({ method: "notifications/tools/list_changed" });
  }
  return { content: [{ type: "text", text: `did ${name} ${JSON.stringify(given)}` }] };
}

function answer({ method, params }) {
  if (method === "initialize") {
    return { protocolVersion: params.protocolVersion, capabilities: { tools: { listChanged: true } }, serverInfo: { name, version: "1" } };
  }
  if (method === "tools/list") return { tools };
  return method === "tools/call" ? called(params) : {};
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.method === undefined) open.get(message.id)?.(message.result);
  else if (message.id !== undefined) void Promise.resolve(answer(message)).then((result) => send({ id: message.id, result }));
}
