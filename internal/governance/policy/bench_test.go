package policy_test

import (
	"fmt"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// manyRules is a policy of one agent with n permissions, a tenth of them globs over tools, and the tools declared.
func manyRules(n int, files ...policy.File) policy.Config {
	tools := map[string]signalbox.ToolMapping{}
	p := &signalbox.Permissions{}
	for i := range n {
		name := fmt.Sprintf("tool%d", i)
		tools[name] = signalbox.ToolMapping{Operation: signalbox.OperationWrite, Resources: []signalbox.ResourceArgument{path("path", "")}}
		if i%10 == 0 {
			name += "*"
		}
		p.Tools = append(p.Tools, permission("s."+name, "rw", fmt.Sprintf("docs/%d/**", i)))
	}
	return policy.Config{Agents: []policy.Agent{{ID: "a", Permissions: p}}, Servers: map[string]policy.Server{"s": {Tools: tools}}, Cedar: files}
}

func BenchmarkDecide(b *testing.B) {
	forbid := policy.File{Name: "x.cedar", Text: `forbid (principal, action == Action::"delete", resource) when { context.target like "docs/keep/*" };`}
	for _, n := range []int{10, 200, 2000} {
		for name, files := range map[string][]policy.File{"": nil, "_with_a_forbid": {forbid}} {
			b.Run(fmt.Sprintf("rules_%d%s", n, name), func(b *testing.B) {
				p := compile(b, manyRules(n, files...))
				r := toolCall("a", "s", fmt.Sprintf("tool%d", n-1), fmt.Sprintf(`{"path":"docs/%d/report.txt"}`, n-1))
				b.ReportAllocs()
				for b.Loop() {
					if d := p.Decide(r); !d.Allowed {
						b.Fatal(d.Message)
					}
				}
			})
		}
	}
}

func BenchmarkModels(b *testing.B) {
	for name, p := range map[string]*signalbox.Permissions{"unrestricted": {}, "restricted": {Models: []string{"claude-*"}}} {
		b.Run(name, func(b *testing.B) {
			compiled := compile(b, policy.Config{Agents: []policy.Agent{{ID: "a", Permissions: p}}})
			r := modelCall("a", "claude-x", "claude-x")
			b.ReportAllocs()
			for b.Loop() {
				if d := compiled.Decide(r); !d.Allowed {
					b.Fatal(d.Message)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{200, 2000} {
		b.Run(fmt.Sprintf("rules_%d", n), func(b *testing.B) {
			c := manyRules(n)
			for b.Loop() {
				compile(b, c)
			}
		})
	}
}
