import { describe, expect, it } from "vitest";
import { callTool, headerName, outcome, request, type Ask, type Head, type Progress } from "./tryout";

const ask: Ask = { server: "files", tool: "read_file", args: '{"size": 1.10}', key: "sb_x", agent: "" };

describe("request", () => {
  it("is a call of the newest protocol, with the arguments as they were written", () => {
    const { path, headers, body } = request({ ...ask, agent: "writer" });
    expect(path).toBe("/mcp/files");
    expect(headers).toMatchObject({ Authorization: "Bearer sb_x", "Mcp-Method": "tools/call", "Mcp-Name": "read_file", "X-Signalbox-Agent": "writer" });
    expect(body).toContain('"arguments":{"size": 1.10}');
    expect(JSON.parse(body)).toMatchObject({ id: 1, params: { name: "read_file", _meta: { "io.modelcontextprotocol/protocolVersion": headers["Mcp-Protocol-Version"], progressToken: "try-out" } } });
  });

  it("names no agent where none is given", () => expect(request(ask).headers).not.toHaveProperty("X-Signalbox-Agent"));

  it.each([["read_file", "read_file"], ["a b/c", "a b/c"], ["읽기", "=?base64?7J296riw?="], [" a", "=?base64?IGE=?="], ["=?x", "=?base64?PT94?="]])(
    "writes the name %j as %j", (name, want) => expect(headerName(name)).toBe(want),
  );
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
    expect(refused.refusal).toEqual({ code: "forbidden", message: "No.", remedy: "Ask.", field: "name" });
  });

  it("takes an error without data as it is", () => expect(outcome('{"error":{"code":-32603,"message":"broken"}}', 500).refusal).toMatchObject({ code: "-32603", message: "broken" }));

  it.each(["", "<html>", "{}", "[]"])("says that %j is no answer", (text) => expect(outcome(text, 502).refusal).toMatchObject({ code: "http_502" }));
});

describe("callTool", () => {
  const made = async (answer: Response) => {
    const heads: Head[] = [];
    const told: Progress[] = [];
    let sent: RequestInit | undefined;
    const send = (async (_: string, init: RequestInit) => ((sent = init), answer)) as typeof fetch;
    const done = await callTool(ask, { head: (h) => heads.push(h), progress: (p) => told.push(p) }, new AbortController().signal, send);
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
});
