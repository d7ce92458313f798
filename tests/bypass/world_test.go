package bypass

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

// world is a running instance with everything that it stands in front of.
type world struct {
	*harness.Instance
	witness *witness
	address string
	kept    map[string]string // By the name in a vector.
	open    map[string]*exchange
	seen    int64           // The index of the newest record that was looked at.
	asked   map[string]bool // The ids of approvals that were seen.
	tried   int             // Vectors.
	intents map[string]bool // The calls whose intents were seen; their outcomes may come with a later look.
}

// secret of the key with the id.
func secret(id string) string { return id + "-key-of-the-catalogue" }

// keys of the configuration: what follows the id.
const keys = `keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: operator2, secret: operator2-key-of-the-catalogue, tenant: acme, role: operator}
  - {id: reader, secret: reader-key-of-the-catalogue, tenant: acme, role: agent, agent: researcher}
  - {id: writer, secret: writer-key-of-the-catalogue, tenant: acme, role: agent, agent: writer}
  - {id: writer2, secret: writer2-key-of-the-catalogue, tenant: acme, role: agent, agent: writer}
  - {id: rules, secret: rules-key-of-the-catalogue, tenant: acme, role: agent, agent: vaultkeeper}
  - {id: careful, secret: careful-key-of-the-catalogue, tenant: acme, role: agent, agent: careful}
  - {id: cautious, secret: cautious-key-of-the-catalogue, tenant: acme, role: agent, agent: cautious}
  - {id: cautious2, secret: cautious2-key-of-the-catalogue, tenant: acme, role: agent, agent: cautious}
  - {id: timid, secret: timid-key-of-the-catalogue, tenant: acme, role: agent, agent: timid}
  - {id: traveller, secret: traveller-key-of-the-catalogue, tenant: acme, role: agent, agent: traveller}
  - {id: faulty, secret: faulty-key-of-the-catalogue, tenant: acme, role: agent, agent: faulty}
  - {id: spender, secret: spender-key-of-the-catalogue, tenant: acme, role: agent, agent: spender}
  - {id: bare, secret: bare-key-of-the-catalogue, tenant: acme, role: agent, agent: nobody-declared}
  - {id: loose, secret: loose-key-of-the-catalogue, tenant: acme, role: developer}
  - {id: uma, secret: uma-key-of-the-catalogue, tenant: acme, role: agent, agent: cautious, user: uma}
  - {id: ann, secret: ann-key-of-the-catalogue, tenant: acme, role: approver, user: ann}
  - {id: ann2, secret: ann2-key-of-the-catalogue, tenant: acme, role: approver, user: Ann}
  - {id: bob, secret: bob-key-of-the-catalogue, tenant: acme, role: approver, user: bob}
  - {id: umadecides, secret: umadecides-key-of-the-catalogue, tenant: acme, role: approver, user: UMA}
  - {id: deskbot, secret: deskbot-key-of-the-catalogue, tenant: acme, role: approver, agent: cautious}
  - {id: chief, secret: chief-key-of-the-catalogue, tenant: acme, role: admin, agent: cautious}
  - {id: other, secret: developer-key-of-other-01, tenant: other, role: developer}
  - {id: otherreader, secret: otherreader-key-of-the-catalogue, tenant: other, role: agent, agent: researcher}
  - {id: othercautious, secret: othercautious-key-of-the-catalogue, tenant: other, role: agent, agent: cautious}
  - {id: otherann, secret: otherann-key-of-the-catalogue, tenant: other, role: approver, user: olga}
  - {id: otheradmin, secret: otheradmin-key-of-the-catalogue, tenant: other, role: admin}
  - {id: otherrules, secret: otherrules-key-of-the-catalogue, tenant: other, role: agent, agent: vaultkeeper}
  - {id: worker, secret: worker-key-of-the-catalogue, tenant: acme, role: agent, agent: worker}
  - {id: worker2, secret: worker2-key-of-the-catalogue, tenant: acme, role: agent, agent: worker}
  - {id: otherworker, secret: otherworker-key-of-the-catalogue, tenant: other, role: agent, agent: worker}
  - {id: quiet, secret: quiet-key-of-the-catalogue, tenant: acme, role: agent, agent: quiet}
`

// configured are the secrets of keys that the harness has names for.
var configured = map[string]string{
	"agent": harness.Agent, "auditor": harness.Auditor, "admin": harness.Admin, "operator": harness.Operator, "other": harness.Other,
}

// strict is what the catalogue is about.
const strict = `agents:
  - id: researcher
    permissions:
      tools:
        - {name: files.read, operations: [read], resources: ["docs/**", "/srv/docs/**"]}
        - {name: files.many, operations: [read], resources: ["docs/**"]}
        - {name: files.deep, operations: [read], resources: ["docs/**"]}
        - {name: files.fetch, operations: [read], resources: ["api.example.com/v1/**", "xn--bcher-kva.example/**", "[[]2001:db8::1]/**"]}
        - {name: files.note, operations: [read], resources: [green, "caf\u00e9", "notes-*"]}
        - {name: files.move, operations: [write], resources: ["docs/**"]}
        - {name: files.peek, operations: [read], resources: ["*"]}
        - {name: a.b_c, operations: [read], resources: ["*"]}
        - {name: trusted.*, operations: [read], resources: ["*"]}
      models: [small]
  - id: writer
    permissions:
      tools:
        - {name: files.write, operations: [write], resources: ["drafts/**"]}
        - {name: files.delete, operations: [delete], resources: ["drafts/**"]}
        - {name: files.read, operations: [read], resources: ["drafts/**"]}
      models: []
  - id: worker
    permissions:
      tools:
        - {name: jobs.slow_compute, operations: [read], resources: ["*"]}
        - {name: jobs.confirm_delete, operations: [read], resources: ["*"]}
        - {name: jobs.multi_input, operations: [write], resources: ["*"]}
        - {name: jobs.elicitation/create, operations: [read], resources: ["*"]}
        - {name: asker.*, operations: [read], resources: ["*"]}
        - {name: asker-b.*, operations: [read], resources: ["*"]}
  - {id: quiet, permissions: {tools: [{name: "*.confirm_delete", operations: [read], resources: ["*"]}, {name: asker.elicit, operations: [read], resources: ["*"]}]}}
  - {id: vaultkeeper, permissions: {tools: [{name: "*", operations: [read, write, delete], resources: ["*"]}]}}
  - {id: careful, permissions: {requires_approval: true, tools: [{name: files.read, operations: [read], resources: ["docs/**"]}]}}
  - {id: cautious, permissions: {tools: [], models: [small, large]}}
  - {id: timid, permissions: {tools: [], models: [small, large]}}
  - {id: traveller, permissions: {tools: [], models: [errands]}}
  - {id: faulty, permissions: {tools: [], models: [broken, other-broken]}}
  - {id: spender, permissions: {tools: [], models: [dear]}}
policy:
  cedar: [forbid.cedar]
  risk:
    - {when: 'call.kind == "model" && agent.id == "cautious"', level: medium}
    - {when: 'call.kind == "model" && agent.id == "timid"', level: high}
approvals:
  expire_after: @EXPIRE@
  use_within: @USE@
@CHANNELS@  rules:
    - {agent: vaultkeeper, tool: "*", approvers: 0}
break_glass: {roles: [operator, admin], max_duration: 2h}
`

// open lets everybody do everything, and asks nobody.
const open = `agents:
@ALL@
approvals: {tiers: {medium: {approvers: 0}}}
`

// forbid is what no permission lifts.
const forbid = `forbid (principal, action, resource == Tool::"files.vault");
forbid (principal, action == Action::"read", resource) when { context.target like "docs/embargo/*" };
forbid (principal, action, resource == Model::"banned");
`

// mapping says what the tools of files do.
const mapping = `
    tools:
      read: {operation: read, resources: [{arg: path, kind: path}]}
      many: {operation: read, resources: [{arg: paths, kind: path}]}
      deep: {operation: read, resources: [{arg: request.path, kind: path}]}
      fetch: {operation: read, resources: [{arg: url, kind: url}]}
      note: {operation: read, resources: [{arg: name, kind: name}]}
      write: {operation: write, resources: [{arg: path, kind: path}]}
      move: {operation: write, resources: [{arg: source, kind: path, operation: delete}, {arg: destination, kind: path}]}
      delete: {operation: delete, resources: [{arg: path, kind: path}]}
      vault: {operation: read, resources: [{arg: name, kind: name}]}
      secret: {operation: read}`

// asking says that neither tools that make tasks, or ask, nor their questions need an approval; multi_input does.
const asking = `
    tools:
      slow_compute: {operation: read}
      confirm_delete: {operation: read}
      elicit: {operation: read}
      twice: {operation: read}
      elicitation/create: {operation: read}`

const models = `providers:
  up: {kind: openai_compatible, base_url: "@MODELS@/v1"}
models:
  small: {provider: up, model: up-small, price: {input: 1, output: 2}, max_output: 100, context_window: 10000}
  large: {provider: up, model: up-large, price: {input: 1, output: 2}, max_output: 100, context_window: 10000}
  banned: {provider: up, model: up-banned, price: {input: 1, output: 2}, max_output: 100, context_window: 10000}
  broken: {provider: up, model: fault-overloaded, fallbacks: [large, banned], price: {input: 1, output: 2}, max_output: 100, context_window: 10000}
  other-broken: {provider: up, model: fault-html-500, fallbacks: [large], price: {input: 1, output: 2}, max_output: 100, context_window: 10000}
  dear: {provider: up, model: up-dear, downgrade_to: small, price: {input: 60000, output: 2}, max_output: 100, context_window: 10000}
routes:
  - {name: errands, when: 'step.kind == "errand"', use: [large, banned]}
  - {name: everything, when: 'true', use: [banned, large]}
`

// configuration writes a configuration: the "strict" one, the "hasty" one, whose approvals end at once, the "told" one, whose
// channels are sent links, and the "open" one.
func configuration(t *testing.T, w *witness, kind string) (text, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "forbid.cedar"), []byte(forbid), 0o600); err != nil {
		t.Fatal(err)
	}
	expire, use, channels := "24h", "15m", ""
	switch kind {
	case "hasty":
		expire, use = "1s", "1s"
	case "told":
		channels = "  channels: [ops, desk]\n"
	}
	rules := strings.NewReplacer("@EXPIRE@", expire, "@USE@", use, "@CHANNELS@", channels).Replace(strict)
	if kind == "open" {
		var all strings.Builder
		for _, id := range []string{"researcher", "writer", "vaultkeeper", "careful", "cautious", "timid", "traveller", "faulty", "spender", "nobody-declared", "stranger", "worker", "quiet"} {
			fmt.Fprintf(&all, "  - {id: %s, permissions: {tools: [{name: \"*\", operations: [read, write, delete], resources: [\"*\"]}]}}\n", id)
		}
		rules = strings.Replace(open, "@ALL@\n", all.String(), 1)
	}
	hook := w.hook(t)
	var b strings.Builder
	b.WriteString("listen: 127.0.0.1:0\ndatabase: \"sqlite:@DB@\"\ntenants:\n  - {id: acme}\n  - {id: other, models: [small]}\n" + keys)
	b.WriteString(strings.ReplaceAll(models, "@MODELS@", w.models.URL) + rules)
	fmt.Fprintf(&b, "channels:\n  ops: {kind: webhook, url: \"%s/ops\", secret: receiver-secret-of-acme}\n", hook)
	fmt.Fprintf(&b, "  desk: {kind: webhook, url: \"%s/desk\", secret: receiver-secret-of-acme}\nmcp_servers:\n", hook)
	for _, id := range slices.Sorted(maps.Keys(servers)) {
		// Some of the names are made to be taken for others: what is tried here is not to be stopped by that.
		fmt.Fprintf(&b, "  %s:\n    pins: {flagged: accept}\n    url: %q", id, w.server(t, id))
		switch {
		case id == "trusted" && kind != "open":
			b.WriteString("\n    annotations: trusted")
		case id == "files" && kind != "open":
			b.WriteString(mapping)
		case id == "jobs" || id == "asker" || id == "asker-b":
			b.WriteString(asking)
		case id == "burrow" && kind != "open":
			b.WriteString("\n    tenants: [other]")
		case id == "a":
			b.WriteString("\n    tools: {b_c: {operation: read}}")
		}
		b.WriteString("\n")
	}
	return b.String(), dir
}

// newWorld starts an instance of the configuration.
func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	w := &world{witness: newWitness(t), kept: map[string]string{}, open: map[string]*exchange{}, asked: map[string]bool{}, intents: map[string]bool{}}
	text, dir := configuration(t, w.witness, kind)
	w.Instance = harness.Start(t, harness.Options{Whole: text, Dir: dir})
	u, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.address = u.Host
	w.kept["key revoked"] = w.revoked(t)
	return w
}

// revoked makes a key, and revokes it.
func (w *world) revoked(t *testing.T) string {
	t.Helper()
	made := w.Send(t, "POST", "/api/v1/keys", harness.Admin, `{"tenant":"acme","role":"agent","agent":"researcher"}`)
	id, key := member(made.Body, "id"), member(made.Body, "secret")
	if gone := w.Send(t, "DELETE", "/api/v1/keys/"+id, harness.Admin, ""); id == "" || key == "" || gone.Status/100 != 2 {
		t.Fatalf("the key could not be made and revoked: %d %s, %d %s", made.Status, made.Body, gone.Status, gone.Body)
	}
	return key
}
