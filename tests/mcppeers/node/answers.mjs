// What the clients answer to servers, the same with both versions of the SDK. Each question is kept as it came.
export const capabilities = { roots: { listChanged: true }, sampling: {}, elicitation: { form: {}, url: {} } }

const answers = {
  'elicitation/create': () => ({ action: 'accept', content: { name: 'Kim' } }),
  'sampling/createMessage': () => ({ role: 'assistant', model: 'a-test-model', stopReason: 'endTurn', content: { type: 'text', text: 'The line is clear.' } }),
  'roots/list': () => ({ roots: [{ uri: 'file:///depot', name: 'depot' }] }),
}

// answerer gives the handler of a question's method.
export const answerer = (session, method) => (request) => {
  session.asked.push({ method, params: request.params })
  return answers[method]()
}
