// Does with OpenAI's and Anthropic's official clients what programs do with them, and prints what came of it as one
// JSON object. Nothing is judged here: the Go test that starts this (tests/sdk) compares.
//
//   node sdks.mjs BASE_URL KEY OPENAI_MODELS_PREFIX ANTHROPIC_MODELS_PREFIX
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'

const [url, key, openaiPrefix, anthropicPrefix] = process.argv.slice(2)

let requests = 0
const counted = (input, init) => {
  requests++
  return fetch(input, init)
}
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, fetch: counted, maxRetries: 1 })
const anthropic = new Anthropic({ baseURL: url, apiKey: key, fetch: counted, maxRetries: 1 })

const messages = [{ role: 'user', content: 'Explain the signal box.' }]
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const openaiTools = [{ type: 'function', function: { name: 'get_weather', parameters: schema } }]
const anthropicTools = [{ name: 'get_weather', input_schema: schema }]

// failed is what a program sees of an error: its class, which the SDK chooses by status, and the fields.
async function failed(call) {
  const before = requests
  try {
    await call()
  } catch (e) {
    return { class: e.constructor.name, status: e.status ?? 0, code: e.code ?? e.error?.error?.code ?? '', requests: requests - before }
  }
  return { class: 'none', status: 0, code: '', requests: requests - before }
}

const scenarios = {
  async 'openai unary'() {
    const a = await openai.chat.completions.create({ model: `${openaiPrefix}good`, messages })
    return { text: a.choices[0].message.content, finish: a.choices[0].finish_reason, input: a.usage.prompt_tokens, output: a.usage.completion_tokens }
  },
  async 'openai stream'() {
    const stream = openai.chat.completions.stream({ model: `${openaiPrefix}good`, messages, stream_options: { include_usage: true } })
    const a = await stream.finalChatCompletion()
    return { text: a.choices[0].message.content, finish: a.choices[0].finish_reason, input: a.usage.prompt_tokens, output: a.usage.completion_tokens }
  },
  async 'openai stream without usage'() {
    const stream = await openai.chat.completions.create({ model: `${openaiPrefix}good`, messages, stream: true })
    let text = ''
    let finish = ''
    let output = 0
    for await (const chunk of stream) {
      if (chunk.usage) output += chunk.usage.completion_tokens
      text += chunk.choices[0]?.delta?.content ?? ''
      finish = chunk.choices[0]?.finish_reason ?? finish
    }
    return { text, finish, output }
  },
  async 'openai tools'() {
    const ask = { model: `${openaiPrefix}good`, messages: [...messages], tools: openaiTools }
    const first = await openai.chat.completions.stream(ask).finalChatCompletion()
    const call = first.choices[0].message.tool_calls[0]
    ask.messages.push(first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'Sunny.' })
    const a = await openai.chat.completions.create(ask)
    return { text: a.choices[0].message.content, finish: first.choices[0].finish_reason, tool: call.function.name, arguments: call.function.arguments }
  },
  async 'anthropic unary'() {
    const a = await anthropic.messages.create({ model: `${anthropicPrefix}good`, max_tokens: 100, messages })
    return { text: a.content[0].text, finish: a.stop_reason, input: a.usage.input_tokens + a.usage.cache_read_input_tokens, output: a.usage.output_tokens }
  },
  async 'anthropic stream'() {
    const a = await anthropic.messages.stream({ model: `${anthropicPrefix}good`, max_tokens: 100, messages }).finalMessage()
    return { text: a.content[0].text, finish: a.stop_reason, output: a.usage.output_tokens }
  },
  async 'anthropic tools'() {
    const ask = { model: `${anthropicPrefix}good`, max_tokens: 100, messages: [...messages], tools: anthropicTools }
    const first = await anthropic.messages.stream(ask).finalMessage()
    const call = first.content[0]
    ask.messages.push(
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'Sunny.' }] },
    )
    const a = await anthropic.messages.create(ask)
    return { text: a.content[0].text, finish: first.stop_reason, tool: call.name, arguments: JSON.stringify(call.input) }
  },
  'openai provider fails': () => failed(() => openai.chat.completions.create({ model: `${openaiPrefix}html-500`, messages })),
  'anthropic provider fails': () => failed(() => anthropic.messages.create({ model: `${anthropicPrefix}html-500`, max_tokens: 100, messages })),
  'openai unknown model': () => failed(() => openai.chat.completions.create({ model: 'nobody-knows-it', messages })),
  'anthropic unknown model': () => failed(() => anthropic.messages.create({ model: 'nobody-knows-it', max_tokens: 100, messages })),
  'openai unknown key': () =>
    failed(() => openai.withOptions({ apiKey: 'sb_this-key-is-unknown' }).chat.completions.create({ model: `${openaiPrefix}good`, messages })),
  'anthropic unknown key': () =>
    failed(() =>
      anthropic.withOptions({ apiKey: 'sb_this-key-is-unknown' }).messages.create({ model: `${anthropicPrefix}good`, max_tokens: 100, messages }),
    ),
  'openai stream breaks': () =>
    failed(() => openai.chat.completions.stream({ model: `${openaiPrefix}error-event`, messages }).finalChatCompletion()),
  'anthropic stream breaks': () =>
    failed(() => anthropic.messages.stream({ model: `${anthropicPrefix}error-event`, max_tokens: 100, messages }).finalMessage()),
  'openai stream is reset': () =>
    failed(() => openai.chat.completions.stream({ model: `${openaiPrefix}reset-mid`, messages }).finalChatCompletion()),
  'anthropic stream is reset': () =>
    failed(() => anthropic.messages.stream({ model: `${anthropicPrefix}reset-mid`, max_tokens: 100, messages }).finalMessage()),
  async 'openai models'() {
    const names = []
    for await (const m of openai.models.list()) names.push(m.id)
    return { names }
  },
  async 'anthropic models'() {
    const names = []
    for await (const m of anthropic.models.list()) names.push(m.id)
    return { names }
  },
}

const results = {}
for (const [name, run] of Object.entries(scenarios)) {
  try {
    results[name] = await run()
  } catch (e) {
    results[name] = { thrown: `${e.constructor.name}: ${e.message}` }
  }
}
console.log(JSON.stringify(results))
