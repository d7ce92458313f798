import { describe, expect, it, vi } from "vitest";
import { readJson } from "./json";
import { callTool, outcome, request, type Ask, type Head, type Progress, type Reply, type Task } from "./tryout";

const ask: Ask = { server: "files", tool: "read_file", schema: null, args: '{"size": 1.10}', task: false, key: "sb_x", agent: "" };

describe("request", () => {
  it("is a call of the newest protocol, with the arguments as they were written", () => {
    const { path, headers, body } = request({ ...ask, agent: "writer" });
    expect(path).toBe("/mcp/files");
    expect(headers).toMatchObject({ Authorization: "Bearer sb_x", "Mcp-Method": "tools/call", "Mcp-Name": "read_file", "X-Signalbox-Agent": "writer" });
    expect(body).toContain('"arguments":{"size": 1.10}');
    expect(JSON.parse(body)).toMatchObject({ id: 1, params: { name: "read_file", _meta: { "io.modelcontextprotocol/protocolVersion": headers["Mcp-Protocol-Version"], progressToken: "try-out" } } });
  });

  it("names no agent where none is given", () => expect(request(ask).headers).not.toHaveProperty("X-Signalbox-Agent"));

  it("repeats arguments in headers where the schema says so", () => {
    const schema = readJson('{"properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}}}');
    expect(request({ ...ask, schema, args: '{"region": "서울", "deep": {"n": 4.20e1}}' }).headers).toMatchObject({ "Mcp-Param-Region": "=?base64?7ISc7Jq4?=", "Mcp-Param-N": "42" });
    expect(Object.keys(request({ ...ask, schema, args: "{}" }).headers).filter((name) => name.startsWith("Mcp-Param-"))).toEqual([]);
  });

  it("says what the page can be asked, and that it knows tasks only where it is to", () => {
    const can = (one: Ask) => (JSON.parse(request(one).body) as { params: { _meta: Record<string, unknown> } }).params._meta["io.modelcontextprotocol/clientCapabilities"];
    expect(can(ask)).toEqual({ elicitation: { form: {}, url: {} } });
    expect(can({ ...ask, task: true })).toMatchObject({ extensions: { "io.modelcontextprotocol/tasks": {} } });
  });

  it("repeats the call with a reply, and gives the state back as it came", () => {
    const to = outcome('{"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"Sure?"}}},"requestState":"s\\u00e9\\n"}}', 200);
    const { body, headers } = request(ask, { responses: '{"a":{"action":"decline"}}', to });
    expect(JSON.parse(body)).toMatchObject({ method: "tools/call", params: { name: "read_file", inputResponses: { a: { action: "decline" } }, requestState: "sé\n" } });
    expect(headers["Mcp-Method"]).toBe("tools/call");
  });
});

describe("outcome", () => {
  it("reads a result, and keeps its digits", () => {
    const done = outcome('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"did"},{"type":"image","data":"x"}],"structuredContent":{"n":1.10}}}', 200);
    expect(done).toMatchObject({ isError: false, texts: ["did"], refusal: null });
    expect(done.result).toContain('"n": 1.10');
  });

  it("tells a failure of the tool from a refusal", () => {
    expect(outcome('{"result":{"content":[{"type":"text","text":"no such file"}],"isError":true}}', 200)).toMatchObject({ isError: true, texts: ["no such file"], refusal: null });
    const refused = outcome('{"error":{"code":-31403,"message":"No. Ask.","data":{"code":"forbidden","message":"No.","remedy":"Ask.","field":"name"}}}', 200);
    expect(refused.refusal).toEqual({ code: "forbidden", number: "-31403", message: "No.", remedy: "Ask.", field: "name", approval: "" });
  });

  it("takes an error without data as it is", () => expect(outcome('{"error":{"code":-32603,"message":"broken"}}', 500).refusal).toMatchObject({ code: "-32603", number: "", message: "broken" }));

  it("knows the approval that is needed, and the number of a header that is missing", () => {
    expect(outcome('{"error":{"code":-31409,"message":"x","data":{"code":"approval_required","approval":{"id":"appr_1","url":"http://x"}}}}', 200).refusal).toMatchObject({ code: "approval_required", approval: "appr_1" });
    expect(outcome('{"error":{"code":-32020,"message":"x","data":{"code":"invalid","field":"Mcp-Param-…"}}}', 400).refusal).toMatchObject({ code: "invalid", number: "-32020", field: "Mcp-Param-…" });
  });

  it("reads what a server asks", () => {
    const asked = outcome(`{"result":{"resultType":"input_required","requestState":"s","inputRequests":{
      "a":{"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}},
      "b":{"method":"elicitation/create","params":{"mode":"url","message":"Go.","url":"https://pay.example/1"}}, "c":{"method":"sampling/createMessage","params":{}}}}}`, 200);
    expect(asked).toMatchObject({ refusal: null, state: '"s"', task: null });
    expect(asked.questions).toMatchObject([{ key: "a", message: "Name?", url: "", other: "" }, { key: "b", message: "Go.", url: "https://pay.example/1", other: "" }, { key: "c", message: "" }]);
    expect(asked.questions[2]!.other).toContain("sampling/createMessage");
    expect(asked.questions[0]!.schema?.kind).toBe("object");
  });

  it.each([
    ["working", "", { task: { id: "task_1", status: "working", message: "m", pollMs: 2000 }, refusal: null }],
    ["completed", ',"result":{"content":[{"type":"text","text":"did"}],"isError":true}', { task: null, texts: ["did"], isError: true }],
    ["failed", ',"error":{"code":-31403,"message":"x","data":{"code":"forbidden","message":"No."}}', { task: null, refusal: { code: "forbidden", message: "No." } }],
    ["failed", "", { task: null, refusal: { code: "failed", message: "m" } }],
    ["cancelled", "", { task: null, refusal: { code: "cancelled", message: "m" } }],
    ["input_required", ',"inputRequests":{"a":{"method":"elicitation/create","params":{}}}', { task: { status: "input_required" }, questions: [{ key: "a" }] }],
  ])("reads a task that is %s%s", (status, more, want) => {
    expect(outcome(`{"result":{"resultType":"complete","taskId":"task_1","status":"${status}","statusMessage":"m","pollIntervalMs":2000${more}}}`, 200)).toMatchObject(want);
  });

  it.each(["", "<html>", "{}", "[]"])("says that %j is no answer", (text) => expect(outcome(text, 502).refusal).toMatchObject({ code: "http_502" }));
});

describe("callTool", () => {
  const made = async (answer: Response) => {
    const heads: Head[] = [];
    const told: Progress[] = [];
    let sent: RequestInit | undefined;
    const send = (async (_: string, init: RequestInit) => ((sent = init), answer)) as typeof fetch;
    const done = await callTool(ask, { head: (h) => heads.push(h), progress: (p) => told.push(p), task: () => {} }, new AbortController().signal, undefined, send);
    return { done, heads, told, sent };
  };
  const result = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"did"}]}}';

  it("sends no cookie, and gives what the head says", async () => {
    const { done, heads, sent } = await made(new Response(result, { headers: { "Content-Type": "application/json", "X-Signalbox-Call": "call_1", "X-Signalbox-Cost-Usd": "0.002" } }));
    expect(sent?.credentials).toBe("omit");
    expect(heads).toEqual([{ call: "call_1", cost: "0.002", approval: null }]);
    expect(done.texts).toEqual(["did"]);
  });

  it("tells of progress, and of nothing else, until the answer comes", async () => {
    const events = [
      '{"method":"notifications/progress","params":{"progressToken":"try-out","progress":5,"total":45,"message":"Waiting for the approval appr_1."}}',
      '{"method":"notifications/message","params":{"level":"info","data":"x"}}', result,
    ];
    const { done, told, heads } = await made(new Response(events.map((e) => `event: message\ndata: ${e}\n\n`).join(""), { headers: { "Content-Type": "text/event-stream", "X-Signalbox-Approval": "appr_1" } }));
    expect(told).toEqual([{ done: "5", total: "45", message: "Waiting for the approval appr_1." }]);
    expect(heads[0]!.approval).toBe("appr_1");
    expect(done.texts).toEqual(["did"]);
  });

  it("says where a stream ends without an answer", async () => {
    const { done } = await made(new Response(": still here\n\n", { headers: { "Content-Type": "text/event-stream" } }));
    expect(done.refusal).toMatchObject({ code: "http_200" });
  });

  const follow = async (answers: string[], reply?: Reply, signal = new AbortController().signal) => {
    vi.useFakeTimers();
    const sent: string[] = [];
    const tasks: Task[] = [];
    const heads: Head[] = [];
    const send = (async (_: string, init: RequestInit) => {
      sent.push((init.headers as Record<string, string>)["Mcp-Method"]! + " " + (init.headers as Record<string, string>)["Mcp-Name"]!);
      return new Response(answers.shift()!, { headers: { "Content-Type": "application/json", "X-Signalbox-Call": "call_1" } });
    }) as typeof fetch;
    let ended = false;
    const ending = callTool({ ...ask, task: true }, { head: (h) => heads.push(h), progress: () => {}, task: (one) => tasks.push(one) }, signal, reply, send).finally(() => (ended = true));
    ending.catch(() => {});
    while (!ended) await vi.advanceTimersByTimeAsync(100);
    vi.useRealTimers();
    return { done: await ending, sent, tasks, heads };
  };
  const about = (status: string, more = "") => `{"result":{"resultType":"task","taskId":"task_1","status":"${status}","pollIntervalMs":700${more}}}`;

  it("asks for a task until it has ended", async () => {
    const { done, sent, tasks, heads } = await follow([about("working"), about("working"), about("completed", `,"result":${JSON.stringify({ content: [{ type: "text", text: "did" }] })}`)]);
    expect(sent).toEqual(["tools/call read_file", "tasks/get task_1", "tasks/get task_1"]);
    expect(tasks.map((one) => one.pollMs)).toEqual([700, 700]);
    expect(heads.length).toBe(1);
    expect(done.texts).toEqual(["did"]);
  });

  it("stops at a task's question, and goes on with the task once it is answered", async () => {
    const asked = about("input_required", ',"inputRequests":{"a":{"method":"elicitation/create","params":{"message":"Sure?"}}}');
    const first = await follow([about("working"), asked]);
    expect(first.done.questions.length).toBe(1);
    const { done, sent } = await follow(['{"result":{"resultType":"complete"}}', about("working"), about("cancelled")], { responses: '{"a":{"action":"accept"}}', to: first.done });
    expect(sent).toEqual(["tasks/update task_1", "tasks/get task_1", "tasks/get task_1"]);
    expect(done.refusal?.code).toBe("cancelled");
  });

  it("asks no more for a task once the page is left", async () => {
    await expect(follow([about("working")], undefined, AbortSignal.abort())).rejects.toThrow();
  });
});
