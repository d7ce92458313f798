// A server of the newest protocol on version 2 of the official SDK, with something of everything. The packaged servers that
// are built on that SDK speak the older protocol only.
//
//   node server.mjs          speaks over standard input and output
//   node server.mjs PORT     speaks Streamable HTTP at http://127.0.0.1:PORT/mcp
import { createServer } from 'node:http'
import { completable, createMcpHandler, inputRequired, McpServer, ResourceTemplate } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { z } from 'zod'

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const stations = ['Seoul', 'Daejeon', 'Daegu', 'Busan', 'Gwangju']
const text = (t) => ({ content: [{ type: 'text', text: t }] })
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

let notify // Of changes, once there is somewhere to tell of them; over standard output the SDK does it by itself.
const given = new Map() // How often each call of "wait" was given up, by its key.

// ask gives what the caller answers, or else the result that asks him.
function ask(ctx, key, request) {
  const answer = ctx.mcpReq.inputResponses?.[key]
  return answer ? text(JSON.stringify(answer)) : inputRequired({ inputRequests: { [key]: request } })
}

function tools(s) {
  const line = { line: z.string() }
  s.registerTool('echo', { description: 'Says it again.', inputSchema: z.object(line) }, ({ line }) => text(line))
  s.registerTool('hide', { description: 'Nobody may use it.', inputSchema: z.object(line) }, ({ line }) => text(line))
  s.registerTool('picture', { description: 'One pixel, and a link.', inputSchema: z.object({}) }, () => ({
    content: [
      { type: 'image', data: pixel, mimeType: 'image/png', annotations: { audience: ['user'], priority: 0.5 } },
      { type: 'resource_link', uri: 'rail://station/Seoul', name: 'Seoul' },
    ],
    _meta: { 'example.org/kept': { exact: 1.50, big: 9007199254740993n.toString() } },
  }))
  const outputSchema = z.object({ stations: z.array(z.string()), count: z.number() })
  s.registerTool('timetable', { description: 'Stations as data.', inputSchema: z.object({}), outputSchema }, () => ({
    content: [], structuredContent: { stations, count: stations.length },
  }))
  s.registerTool('derail', { description: 'Fails.', inputSchema: z.object({}) }, () => ({ isError: true, ...text('The points are locked.') }))
  s.registerTool('count', { description: 'Counts, and says so.', inputSchema: z.object({ to: z.number().int() }) }, async ({ to }, ctx) => {
    await ctx.mcpReq.log('info', { counting: to }, 'counter')
    await ctx.mcpReq.log('debug', 'not every caller wants this')
    for (let progress = 1; progress <= to; progress++) {
      const progressToken = ctx.mcpReq._meta?.progressToken
      if (progressToken !== undefined) {
        await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to, message: `${progress} of ${to}` } })
      }
      await pause(20) // Clients forget a call when its answer is there, also progress that came just before.
    }
    return text(`counted to ${to}`)
  })
  s.registerTool('wait', { description: 'Waits until nobody wants it any more.', inputSchema: z.object({ key: z.string() }) }, async ({ key }, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken
    await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
    for (let i = 0; i < 1000 && !ctx.mcpReq.signal.aborted; i++) await pause(20)
    given.set(key, (given.get(key) ?? 0) + 1)
    return text('nobody reads this')
  })
  s.registerTool('given', { description: 'How often "wait" was given up.', inputSchema: z.object({ key: z.string() }) }, async ({ key }) => {
    for (let i = 0; i < 250 && !given.has(key); i++) await pause(20)
    return text(String(given.get(key) ?? 0))
  })
  s.registerTool('ask', { description: 'Asks for a name.', inputSchema: z.object({}) }, (_, ctx) =>
    ask(ctx, 'who', inputRequired.elicit({ message: 'Who are you?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } })))
  s.registerTool('sample', { description: 'Asks a model.', inputSchema: z.object({}) }, (_, ctx) =>
    ask(ctx, 'model', inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: 'Is the line clear?' } }], maxTokens: 16 })))
  s.registerTool('roots', { description: 'Asks for roots.', inputSchema: z.object({}) }, (_, ctx) => ask(ctx, 'roots', inputRequired.listRoots()))
  s.registerTool('change', { description: 'Says that a resource has changed.', inputSchema: z.object({ uri: z.string() }) }, async ({ uri }) => {
    if (notify) notify.resourceUpdated(uri)
    else await s.server.sendResourceUpdated({ uri })
    return text('changed')
  })
}

function resources(s) {
  s.registerResource('rules', 'rail://rules', { description: 'The rule book.', mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Stop at danger.' }],
  }))
  s.registerResource('secret', 'rail://secret', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'Not for you.' }] }))
  const template = new ResourceTemplate('rail://station/{name}', {
    list: () => ({ resources: stations.map((name) => ({ uri: `rail://station/${name}`, name })) }),
    complete: { name: (value) => stations.filter((n) => n.startsWith(value)) },
  })
  s.registerResource('station', template, { mimeType: 'application/octet-stream' }, (uri, { name }) => ({
    contents: [{ uri: uri.href, mimeType: 'application/octet-stream', blob: Buffer.from(name).toString('base64') }],
  }))
}

function prompts(s) {
  const argsSchema = z.object({ to: completable(z.string(), (value) => stations.filter((n) => n.startsWith(value))) })
  s.registerPrompt('announce', { description: 'An announcement.', argsSchema }, ({ to }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `The train to ${to} is late.` } }],
  }))
  s.registerPrompt('private', { description: 'Not for everybody.' }, () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'No.' } }] }))
}

// paged hands a list out two entries at a time.
function paged(s, method, member) {
  const whole = s.server._requestHandlers.get(method)
  s.server._requestHandlers.set(method, async (request, ctx) => {
    const result = await whole(request, ctx)
    const from = Number(request.params?.cursor ?? 0)
    const page = { ...result, [member]: result[member].slice(from, from + 2) }
    return from + 2 < result[member].length ? { ...page, nextCursor: String(from + 2) } : page
  })
}

function make() {
  const s = new McpServer({ name: 'railway', version: '1.2.3' }, {
    capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } }, instructions: 'Read the rule book first.',
  })
  tools(s)
  resources(s)
  prompts(s)
  paged(s, 'tools/list', 'tools')
  paged(s, 'resources/list', 'resources')
  return s
}

const port = process.argv[2]
if (port) {
  const handler = createMcpHandler(make)
  notify = handler.notify
  createServer(toNodeHandler(handler)).listen(Number(port), '127.0.0.1')
} else {
  serveStdio(make)
}
