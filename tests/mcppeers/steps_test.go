package mcppeers

import "github.com/signalbox/signalbox"

// step is one thing that a client does, and what must come of it. The members with names of JSON are what clients are told.
type step struct {
	Name     string         `json:"name"`
	Method   string         `json:"method"`
	Params   map[string]any `json:"params,omitempty"`
	Progress bool           `json:"progress,omitempty"` // It asks for progress,
	Cancel   bool           `json:"cancel,omitempty"`   // and gives up at the first word of it.
	Hears    string         `json:"hears,omitempty"`    // It waits for a notification of this method.
	About    string         `json:"about,omitempty"`    // And about this resource.
	Again    bool           `json:"again,omitempty"`    // It repeats itself until it hears something.

	has      []string       // What the answer, what was heard and what was asked have in them.
	refused  signalbox.Code // Signalbox's; the server itself would do it.
	fails    bool           // The server refuses it.
	mark     string         // What the server would then have been sent.
	unlike   bool           // Each server's answer has something of its own in it.
	empty    bool           // The agent sees nothing in the list.
	log      string         // The server's log lines have this in them.
	asks     string         // The server asks the client by this method; the act and its answer are calls of their own.
	through  bool           // Only through Signalbox: this server itself can not do it in this era.
	sessions bool           // Only for clients with a session, of the older versions.
}

// tool is a step that calls a tool. mine stands for whoever does it.
func tool(name string, arguments map[string]any, has ...string) step {
	return step{Name: "call " + name, Method: "tools/call", Params: map[string]any{"name": name, "arguments": arguments}, has: has}
}

// mine is replaced by the name of whoever does a step, wherever it stands.
const mine = "MINE"

// as gives a step another name, for tools that are called twice.
func (s step) as(name string) step {
	s.Name = name
	return s
}

func (s step) refusedAs(code signalbox.Code, mark string) step {
	s.Name, s.refused, s.mark, s.has = s.Name+", not permitted", code, mark, nil
	return s
}

// failing is for what the server refuses with an error of the protocol.
func (s step) failing() step {
	s.fails = true
	return s
}

// withProgress is for a tool whose server tells of progress three times.
func (s step) withProgress() step {
	s.Progress = true
	return s
}

// words is how often servers tell of progress.
const words = 3

// withLog is for a tool whose server writes log lines while it works.
func (s step) withLog(has string) step {
	s.log = has
	return s
}

type obj = map[string]any

func list(what string, has ...string) step {
	return step{Name: "list " + what, Method: what + "/list", has: has}
}

func read(uri string, has ...string) step {
	return step{Name: "read " + uri, Method: "resources/read", Params: obj{"uri": uri}, has: has}
}

func prompt(name string, arguments obj, has ...string) step {
	params := obj{"name": name}
	if arguments != nil {
		params["arguments"] = arguments
	}
	return step{Name: "prompt " + name, Method: "prompts/get", Params: params, has: has}
}

func complete(ref obj, argument, value string, has ...string) step {
	name, _ := ref["name"].(string)
	uri, _ := ref["uri"].(string)
	return step{
		Name: "complete " + name + uri, Method: "completion/complete", has: has,
		Params: obj{"ref": ref, "argument": obj{"name": argument, "value": value}},
	}
}

// steps are what is done at each server, in this order.
var steps = map[string][]step{
	everything: append([]step{
		list("tools", `"name":"get-structured-content"`, `"outputSchema"`, `"readOnlyHint":true`),
		tool("echo", obj{"message": "All clear. 신호 \u2028 \"quoted\""}, "Echo: All clear. 신호"),
		tool("get-sum", obj{"a": 2.5, "b": 40}, "42.5"),
		tool("get-tiny-image", obj{}, `"type":"image"`, `"mimeType":"image/png"`),
		tool("get-annotated-message", obj{"messageType": "error", "includeImage": true}, `"audience":["user","assistant"]`),
		tool("get-structured-content", obj{"location": "Chicago"}, `"structuredContent":{`, `"humidity":82`),
		tool("get-resource-links", obj{"count": 2}, `"type":"resource_link"`),
		tool("get-resource-reference", obj{"resourceType": "Blob", "resourceId": 1}, `"type":"resource"`, `"blob":`).likeNone(),
		tool("echo", obj{"message": 7}, `"isError":true`, "expected string").as("wrong arguments"),
		tool("trigger-long-running-operation", obj{"duration": 0.3, "steps": 3}, "completed", `"total":3`).withProgress(),
		{Name: "give up", Method: "tools/call", Cancel: true, Params: obj{"name": "trigger-long-running-operation", "arguments": obj{"duration": 20, "steps": 40}}},
		tool("get-env", obj{}).refusedAs(signalbox.CodeForbidden, `"get-env"`),
		tool("no-such-tool", obj{}).refusedAs(signalbox.CodeNotFound, `"no-such-tool"`),
	}, append(everythingElse, asking...)...),
	railway:  append(append([]step{}, onTheRailway...), changes...),
	junction: onTheRailway,
	files: {
		list("tools", `"name":"read_text_file"`, `"readOnlyHint":true`),
		tool("read_text_file", obj{"path": "SHELF/rules.txt"}, "Stop at danger."),
		tool("list_directory", obj{"path": "SHELF"}, "[FILE] rules.txt").likeNone(),
		tool("read_text_file", obj{"path": "/etc/hostname"}, `"isError":true`, "Access denied").as("outside of the shelf"),
		tool("write_file", obj{"path": "SHELF/" + mine + ".txt", "content": "Proceed."}, "Successfully wrote"),
		tool("move_file", obj{"source": "SHELF/" + mine + ".txt", "destination": "SHELF/" + mine + ".moved"}).refusedAs(signalbox.CodeForbidden, mine+".moved"),
	},
	memory: {
		list("tools", `"name":"create_entities"`),
		tool("create_entities", obj{"entities": []obj{{"name": mine, "entityType": "train", "observations": []string{"is late"}}}}, "is late"),
		tool("open_nodes", obj{"names": []string{mine}}, `"structuredContent":{`, "is late"),
		tool("search_nodes", obj{"query": mine}, "is late"),
		tool("delete_entities", obj{"entityNames": []string{mine}}).refusedAs(signalbox.CodeForbidden, "delete_entities"),
	},
	budget: {
		list("tools", `"name":"get-budget-data"`, `"ui/resourceUri"`),
		tool("get-budget-data", obj{}, `"structuredContent":{`).likeNone(),
		list("resources").hidden(),
		read("ui://budget-allocator/mcp-app.html").refusedAs(signalbox.CodeForbidden, "mcp-app.html"),
	},
}

var everythingElse = []step{
	list("resources", "architecture.md"),
	list("resources/templates", "demo://resource/dynamic/text/{resourceId}"),
	read("demo://resource/static/document/architecture.md", `"mimeType":"text/markdown"`, "# Everything Server"),
	read("demo://resource/dynamic/blob/3", `"blob":`).likeNone(),
	read("demo://resource/static/document/startup.md").refusedAs(signalbox.CodeForbidden, "startup.md"),
	list("prompts", "args-prompt"),
	prompt("simple-prompt", nil, "This is a simple prompt without arguments."),
	prompt("args-prompt", obj{"city": "Busan"}, "Busan"),
	prompt("args-prompt", obj{}, `-32602`).as("prompt without its argument").failing(),
	prompt("resource-prompt", obj{"resourceType": "Text", "resourceId": "1"}).refusedAs(signalbox.CodeForbidden, `"resource-prompt"`),
	complete(obj{"type": "ref/prompt", "name": "completable-prompt"}, "department", "E", "Engineering"),
	complete(obj{"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"}, "resourceId", "7", `"7"`),
	complete(obj{"type": "ref/prompt", "name": "resource-prompt"}, "resourceType", "T").refusedAs(signalbox.CodeForbidden, `"resource-prompt"`),
}

// asking has what needs a session: the server asks its client, and tells him of changes.
var asking = []step{
	tool("trigger-elicitation-request", obj{}, "accept", "Kim").asked("elicitation/create"),
	tool("trigger-sampling-request", obj{"prompt": "Is the line clear?", "maxTokens": 10}, "The line is clear.", "a-test-model").asked("sampling/createMessage"),
	{Name: "set the level", Method: "logging/setLevel", Params: obj{"level": "warning"}, sessions: true},
	{Name: "subscribe", Method: "resources/subscribe", Params: obj{"uri": "demo://resource/static/document/architecture.md"}, sessions: true},
	{
		Name: "hear of a change", Method: "tools/call", Params: obj{"name": "toggle-subscriber-updates", "arguments": obj{}}, sessions: true,
		Hears: "notifications/resources/updated", About: "demo://resource/static/document/architecture.md", Again: true, unlike: true, has: []string{"architecture.md"},
	},
}

var onTheRailway = []step{
	{Name: "set the level", Method: "logging/setLevel", Params: obj{"level": "info"}, sessions: true},
	list("tools", `"name":"timetable"`, `"https://json-schema.org/draft/2020-12/schema"`),
	tool("echo", obj{"line": "All clear. 신호 \u2028"}, "All clear. 신호"),
	tool("picture", obj{}, `"type":"image"`, `"priority":0.5`, `"example.org/kept"`, `"rail://station/Seoul"`),
	tool("timetable", obj{}, `"count":5`),
	tool("derail", obj{}, `"isError":true`, "The points are locked."),
	tool("echo", obj{"line": 7}, "line").as("wrong arguments"),
	tool("count", obj{"to": 3}, "counted to 3", `"3 of 3"`, `"total":3`).withProgress().withLog(`"counting":3`),
	{Name: "give up", Method: "tools/call", Cancel: true, Params: obj{"name": "wait", "arguments": obj{"key": mine}}},
	tool("given", obj{"key": mine}, `"1"`),
	tool("ask", obj{}, "accept", "Kim").asked("elicitation/create"),
	tool("sample", obj{}, "The line is clear.").asked("sampling/createMessage").likeNone(),
	tool("roots", obj{}, "file:///depot").asked("roots/list").likeNone(),
	tool("hide", obj{"line": "seen " + mine}).refusedAs(signalbox.CodeForbidden, "seen "+mine),
	list("resources", "rail://rules", "rail://station/Gwangju"),
	list("resources/templates", "rail://station/{name}"),
	read("rail://rules", "Stop at danger."),
	read("rail://station/Daegu", `"blob":"RGFlZ3U="`),
	read("rail://secret").refusedAs(signalbox.CodeForbidden, "rail://secret"),
	list("prompts", "announce"),
	prompt("announce", obj{"to": "Busan"}, "The train to Busan is late."),
	prompt("private", nil).refusedAs(signalbox.CodeForbidden, `"private"`),
	complete(obj{"type": "ref/prompt", "name": "announce"}, "to", "Dae", "Daejeon", "Daegu"),
	complete(obj{"type": "ref/resource", "uri": "rail://station/{name}"}, "name", "Gw", "Gwangju"),
}

// changes are what a server over HTTP tells of, to whoever listens.
var changes = []step{
	{Name: "subscribe", Method: "resources/subscribe", Params: obj{"uri": "rail://rules"}, through: true},
	{
		Name: "hear of a change", Method: "tools/call", Params: obj{"name": "change", "arguments": obj{"uri": "rail://rules"}}, through: true,
		Hears: "notifications/resources/updated", About: "rail://rules", has: []string{"changed", "rail://rules"},
	},
}

func (s step) likeNone() step {
	s.unlike = true
	return s
}

func (s step) asked(method string) step {
	s.asks = method
	return s
}

// hidden is for a list of which the agent may see nothing.
func (s step) hidden() step {
	s.Name, s.unlike, s.empty, s.has = s.Name+", all of it hidden", true, true, []string{`"resources":[]`}
	return s
}
