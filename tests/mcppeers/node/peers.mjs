// Does with the official TypeScript SDK what it is told to, and prints what came of it as JSON. Nothing is judged here: the
// Go test that starts this compares.
//
//   node peers.mjs v1|v2 < TARGETS
//
// TARGETS is a list of {name, url, headers, command, era, steps}: where to connect (by HTTP, or to a child), with which era of
// the protocol ("legacy", "modern", or "auto", which version 1 does not know), and what to do there, one step after the other:
// {name, method, params, progress, cancel, hears, about, again}. The answer has for each target's name and step's name what the
// program was given: {result, error, progress, heard, asked}, and under "connect" what is known of the server.
import { readFileSync } from 'node:fs'

const sdk = await import(`./${process.argv[2]}.mjs`)
const targets = JSON.parse(readFileSync(0, 'utf8'))
const patience = 20_000 // Milliseconds until a notification must have come.

const lists = {
  'tools/list': ['listTools', 'tools'],
  'resources/list': ['listResources', 'resources'],
  'resources/templates/list': ['listResourceTemplates', 'resourceTemplates'],
  'prompts/list': ['listPrompts', 'prompts'],
}
const calls = {
  'resources/read': 'readResource',
  'prompts/get': 'getPrompt',
  'completion/complete': 'complete',
  'resources/unsubscribe': 'unsubscribeResource',
}

// list reads all pages; how many there were is told besides. A list of all servers names those that were too slow, as they
// are on a busy machine; then it is asked for again.
async function list(client, kind) {
  for (let tries = 1; ; tries++) {
    const whole = await pagesOf(client, kind)
    if (!whole._meta?.['signalbox/missing'] || tries === 10) return whole
  }
}

async function pagesOf(client, [method, member]) {
  const entries = []
  let page
  let pages = 0
  do {
    page = await client[method](page ? { cursor: page.nextCursor } : sdk.firstPage)
    pages++
    entries.push(...page[member])
  } while (page.nextCursor !== undefined)
  return { ...page, [member]: entries, pages }
}

// perform makes the request of a step.
function perform(session, { method, params }, options) {
  const { client } = session
  if (lists[method]) return list(client, lists[method])
  if (calls[method]) return client[calls[method]](params, options)
  if (method === 'tools/call') return sdk.callTool(client, params, options)
  if (method === 'logging/setLevel') return client.setLoggingLevel(params.level)
  if (method === 'resources/subscribe') return sdk.subscribe(session, params)
  throw new Error(`no way to perform ${method}`)
}

// heard reports whether the notification that a step waits for has come.
const heard = (session, { hears, about }, since) => session.heard.slice(since).some((n) => n.method === hears && n.params.uri === about)

// hear waits for it.
async function hear(session, step, since) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    if (heard(session, step, since)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`no ${step.hears} came`)
}

async function attempt(session, step) {
  const progress = []
  const controller = new AbortController()
  const options = {}
  if (step.progress || step.cancel) {
    options.onprogress = (p) => {
      progress.push(p)
      if (step.cancel) controller.abort('enough')
    }
  }
  if (step.cancel) options.signal = controller.signal
  const [since, before] = [session.heard.length, session.asked.length]
  const outcome = { progress }
  try {
    outcome.result = await perform(session, step, options)
    if (step.again) { // The server switches by turns.
      for (let i = 1; i <= 40 && !heard(session, step, since); i++) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (i % 5 === 0) await perform(session, step, options)
      }
    }
    if (step.hears) await hear(session, step, since)
  } catch (e) {
    outcome.error = { code: e.code, message: String(e.message ?? e), data: e.data }
  }
  return { ...outcome, heard: session.heard.slice(since), asked: session.asked.slice(before) }
}

async function visit(target) {
  const outcomes = {}
  const session = { heard: [], asked: [], modern: false }
  try {
    await sdk.connect(session, target)
  } catch (e) {
    return { connect: { error: { code: e.code, message: String(e.message ?? e), data: e.data } } }
  }
  const { client } = session
  outcomes.connect = {
    result: { server: client.getServerVersion(), capabilities: client.getServerCapabilities(), instructions: client.getInstructions(), modern: session.modern },
  }
  for (const step of target.steps) outcomes[step.name] = await attempt(session, step)
  await sdk.leave(session)
  return outcomes
}

const all = await Promise.all(targets.map(async (target) => [target.name, await visit(target)]))
process.stdout.write(JSON.stringify(Object.fromEntries(all)), () => process.exit(0)) // A child may still be dying.
