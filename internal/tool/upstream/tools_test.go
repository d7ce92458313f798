package upstream

import (
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestToolsWithNamesOfMethodsAreLeftOut(t *testing.T) {
	list := &ToolList{index: map[string]int{}}
	names := []string{"resources/read", "prompts/get", "completion/complete", "sampling/createMessage", "elicitation/create", "roots/list"}
	for _, name := range names {
		if err := list.add(json.Value(`{"name":"` + name + `"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if len(list.Tools) != 0 || len(list.Reserved) != len(names) {
		t.Errorf("got %+v", list)
	}
}
