package rpc

import (
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestReadTask(t *testing.T) {
	for raw, want := range map[string]TaskView{
		`{"taskId":"a","status":"working"}`:                                                   {ID: "a", Status: TaskWorking},
		`{"taskId":"a","status":"failed","ttlMs":1500,"pollIntervalMs":20}`:                   {ID: "a", Status: TaskFailed, TTL: 1500 * time.Millisecond, Poll: 20 * time.Millisecond},
		`{"taskId":"a","status":"cancelled","ttl":1,"pollInterval":2,"result":{"A":1,"a":2}}`: {ID: "a", Status: TaskCancelled, TTL: time.Millisecond, Poll: 2 * time.Millisecond},
		`{"taskId":"a","status":"input_required","ttlMs":null}`:                               {ID: "a", Status: TaskInputRequired},
		`{"taskId":"a","status":"completed","ttlMs":-5,"pollIntervalMs":1e300}`:               {ID: "a", Status: TaskCompleted},
		`{"taskId":"a","status":"completed","ttlMs":9223372036854775807}`:                     {ID: "a", Status: TaskCompleted},
	} {
		if got, ok := ReadTask(json.Value(raw)); !ok || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", raw, got, ok, want)
		}
	}
	for _, raw := range []string{`7`, `{`, `{}`, `{"taskId":""}`, `{"taskId":1,"status":"working"}`, `{"taskId":"a"}`, `{"taskId":"a","status":"done"}`, `{"taskId":"a","status":3}`} {
		if got, ok := ReadTask(json.Value(raw)); ok {
			t.Errorf("%s: got %+v", raw, got)
		}
	}
}

func TestFinal(t *testing.T) {
	for status, want := range map[string]bool{TaskWorking: false, TaskInputRequired: false, TaskCompleted: true, TaskFailed: true, TaskCancelled: true} {
		if got := (TaskView{Status: status}).Final(); got != want {
			t.Errorf("%s: got %v", status, got)
		}
	}
}

func TestRenamedTask(t *testing.T) {
	for raw, want := range map[string]string{
		`{"a":1,"taskId":"x","A":2,"status":"working"}`: `{"a":1,"taskId":"task_1","A":2,"status":"working"}`,
		`{"ttlMs":59999,"ttl":60000}`:                   `{"ttlMs":59999,"ttl":60000}`,
		`{"ttlMs":null,"ttl":60001}`:                    `{"ttlMs":60000,"ttl":60000}`,
		`{"ttlMs":"long"}`:                              `{"ttlMs":60000}`,
		`{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"x","y":1},"z":2}}`: `{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"task_1","y":1},"z":2}}`,
		`{"_meta":7}`:               `{"_meta":7}`,
		`{"result":{"taskId":"x"}}`: `{"result":{"taskId":"x"}}`,
		`[]`:                        `[]`,
	} {
		if got := string(RenamedTask(json.Value(raw), "task_1", time.Minute)); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestRelatedTask(t *testing.T) {
	for raw, want := range map[string]string{
		`{"taskId":"the tool's","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"x"}}}`: `{"taskId":"the tool's","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"task_1"}}}`,
		`{"_meta":{"io.modelcontextprotocol/related-task":7}}`:                                    `{"_meta":{"io.modelcontextprotocol/related-task":7}}`,
		`{"content":[]}`: `{"content":[]}`,
		`7`:              `7`,
	} {
		if got := string(RelatedTask(json.Value(raw), "task_1")); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestResultType(t *testing.T) {
	for raw, want := range map[string]string{`{"resultType":"task","A":1,"a":2}`: TypeTask, `{}`: "", `{"resultType":7}`: "", `[]`: ""} {
		if got := ResultType(json.Value(raw)); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}
