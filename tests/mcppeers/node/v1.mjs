// Version 1 of the official SDK, as peers.mjs uses it.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { answerer, capabilities } from './answers.mjs'

export const firstPage = undefined

export async function connect(session, { url, headers, command, args, env }) {
  session.client = new Client({ name: 'signalbox-test-v1', version: '1' }, { capabilities })
  session.client.setRequestHandler(ElicitRequestSchema, answerer(session, 'elicitation/create'))
  session.client.setRequestHandler(CreateMessageRequestSchema, answerer(session, 'sampling/createMessage'))
  session.client.setRequestHandler(ListRootsRequestSchema, answerer(session, 'roots/list'))
  session.client.fallbackNotificationHandler = async (n) => void session.heard.push(n)
  session.transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    : new StdioClientTransport({ command, args, env: { ...process.env, ...env }, stderr: 'ignore' })
  await session.client.connect(session.transport)
}

export const callTool = (client, params, options) => client.callTool(params, undefined, options)
export const subscribe = ({ client }, params) => client.subscribeResource(params)

export async function leave({ client, transport }) {
  await transport.terminateSession?.()
  await client.close()
}
