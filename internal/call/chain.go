package call

// Stations are the stations around a call. A nil station is not built or not configured: it is left out, and its result
// stays not_run.
type Stations struct {
	Record      Station
	Gate        Station
	Resolve     Station
	Policy      Station
	Guard       Station
	Idempotency Station
	Approval    Station
	Attempt     Handler
}

// Chain puts the stations in their order: this is the one place that knows it.
func (s Stations) Chain() Handler {
	h := s.Attempt
	for _, station := range []Station{s.Approval, s.Idempotency, s.Guard, s.Policy, s.Resolve, s.Gate, s.Record} {
		if station != nil {
			h = station(h)
		}
	}
	return h
}
