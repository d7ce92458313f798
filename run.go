package signalbox

import "time"

// RunState is where a run stands.
type RunState string

// The states of a run that was opened. Halted runs can be resumed by an operator.
const (
	RunRunning RunState = "running"
	RunHalted  RunState = "halted"
	RunEnded   RunState = "ended"
	RunExpired RunState = "expired" // Nothing was called in it for a while.
)

// Run is a run that was opened with a budget. It belongs to its tenant and to the key that opened it. Runs that calls
// merely name have no Run; they are under the budgets "per run" of their tenant, team, key and agent.
type Run struct {
	ID     string
	Tenant string
	Team   string
	Key    string
	Plan   RunPlan
	State  RunState
	Opened time.Time
	Ended  time.Time     // Zero while it is running.
	Idle   time.Duration // It expires after so long without a call; 0 is never.
}

// RunPlan is a run's budget and how it is divided. The agents' caps and the reserve do not exceed the total.
type RunPlan struct {
	Total   Money         `json:"total_max_cost_usd"`
	Reserve int64         `json:"reserve_percent"`    // 15 to 20; it pays for second and further attempts only.
	Steps   int64         `json:"max_steps,omitzero"` // Of the run; 0 is no cap.
	Agents  []AgentBudget `json:"agents"`
}

// ReserveAmount is the part of the total that is kept for second and further attempts, rounded down.
func (p RunPlan) ReserveAmount() Money {
	return p.Total/100*Money(p.Reserve) + p.Total%100*Money(p.Reserve)/100
}

// Agent gives the budget of an agent; false where the plan does not name it.
func (p RunPlan) Agent(id string) (AgentBudget, bool) {
	for _, a := range p.Agents {
		if a.Agent == id {
			return a, true
		}
	}
	return AgentBudget{}, false
}

// Priority says which agents of a run come first when its money gets short.
type Priority string

// The priorities, highest first. An agent that the plan does not name is optional.
const (
	PriorityCritical Priority = "critical"
	PriorityNormal   Priority = "normal"
	PriorityOptional Priority = "optional"
)

// Priorities lists the priorities, highest first.
func Priorities() []Priority { return []Priority{PriorityCritical, PriorityNormal, PriorityOptional} }

// AgentBudget is what one agent may use in one run. A nil cap is none of its own: the agent shares what the plan leaves.
type AgentBudget struct {
	Agent     string   `json:"agent_id"`
	MaxInput  *int64   `json:"max_input_tokens,omitzero"`
	MaxOutput *int64   `json:"max_output_tokens,omitzero"`
	MaxCost   *Money   `json:"max_cost_usd,omitzero"`
	MaxSteps  *int64   `json:"max_steps,omitzero"`
	Model     string   `json:"model,omitzero"` // What "auto" means for this agent in this run; "" leaves it to the routes.
	Priority  Priority `json:"priority"`
}
