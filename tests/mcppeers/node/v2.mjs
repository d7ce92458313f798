// Version 2 of the official SDK, as peers.mjs uses it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { answerer, capabilities } from './answers.mjs'

const modes = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } }

export const firstPage = undefined // Without a cursor the client reads all pages by itself.

export async function connect(session, { url, headers, command, args, env, era }) {
  session.client = new Client({ name: 'signalbox-test-v2', version: '1' }, { capabilities, versionNegotiation: { mode: modes[era] } })
  for (const method of ['elicitation/create', 'sampling/createMessage', 'roots/list']) {
    session.client.setRequestHandler(method, answerer(session, method))
  }
  session.client.fallbackNotificationHandler = async (n) => void session.heard.push(n)
  session.transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    : new StdioClientTransport({ command, args, env: { ...process.env, ...env }, stderr: 'ignore' })
  await session.client.connect(session.transport)
  session.modern = session.client.getProtocolEra() === 'modern'
}

export const callTool = (client, params, options) => client.callTool(params, options)

// subscribe asks for changes of a resource, as the era does it.
export async function subscribe(session, { uri }) {
  if (!session.modern) return session.client.subscribeResource({ uri })
  session.subscription = await session.client.listen({ resourceSubscriptions: [uri], toolsListChanged: true })
  return {}
}

export async function leave({ client, transport, subscription, modern }) {
  await subscription?.close()
  if (!modern) await transport.terminateSession?.()
  await client.close()
}
