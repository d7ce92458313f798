package mcp

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MetaPolicy is the member of a list's _meta that says why the list is empty although the server has tools.
const MetaPolicy = "signalbox/policy"

// list answers tools/list.
func (h *Handler) list(ctx context.Context, c *signalbox.Call, u *upstream) (sdk.Result, error) {
	caller, err := h.who(c)
	if err != nil {
		return nil, rpcFailure(c, err)
	}
	list, err := u.tools(ctx)
	if err != nil {
		h.logger.WarnContext(ctx, "the tools of an MCP server could not be listed", "server", u.ID, "request_id", c.RequestID, "error", err)
		return nil, rpcFailure(c, err)
	}
	shown, rules := h.shown(caller, u.ID, list.tools)
	why := ""
	if len(shown) == 0 && len(list.tools) > 0 {
		why = hidden(u.ID, caller, rules)
	}
	shown, held := u.usable(shown)
	return &rawResult{data: encodeList(shown, u.ListTTL, why, held)}, nil
}

// shown gives the tools that the caller may see, and the rules that hide the others, each once.
func (h *Handler) shown(caller signalbox.Caller, server string, tools []listedTool) (shown []listedTool, rules []string) {
	if h.visible == nil {
		return tools, nil
	}
	for _, tool := range tools {
		ok, rule := h.visible(caller, server, tool.name, tool.annotations)
		switch {
		case ok:
			shown = append(shown, tool)
		case rule != "" && !slices.Contains(rules, rule):
			rules = append(rules, rule)
		}
	}
	return shown, rules
}

// maxRules is how many rules an empty list names.
const maxRules = 5

// hidden says why a list is empty.
func hidden(server string, caller signalbox.Caller, rules []string) string {
	who := "a caller that names no agent"
	if caller.Agent != "" {
		who = "the agent " + strconv.Quote(caller.Agent)
	}
	text := "The policy shows no tool of the MCP server " + strconv.Quote(server) + " to " + who
	if len(rules) == 0 {
		return text + "."
	}
	more := ""
	if len(rules) > maxRules {
		more = ", and " + strconv.Itoa(len(rules)-maxRules) + " more rules"
	}
	return text + ": " + strings.Join(rules[:min(len(rules), maxRules)], "; ") + more
}

// encodeList writes the result of tools/list. Callers may keep it as long as we keep the server's list.
func encodeList(list []listedTool, ttl time.Duration, why string, held int) []byte {
	tools := []byte{'['}
	for i, tool := range list {
		if i > 0 {
			tools = append(tools, ',')
		}
		tools = append(tools, tool.raw...)
	}
	var o object
	o.add("tools", append(tools, ']'))
	o.add("ttlMs", strconv.AppendInt(nil, ttl.Milliseconds(), 10))
	o.text("cacheScope", cacheScope)
	var meta object
	if why != "" {
		meta.text(MetaPolicy, why)
	}
	if held > 0 {
		meta.add(MetaHeld, strconv.AppendInt(nil, int64(held), 10))
	}
	if why != "" || held > 0 {
		o.add("_meta", json.Value(meta.bytes()))
	}
	return o.bytes()
}
