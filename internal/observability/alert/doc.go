// Package alert watches what calls cost, raises alerts when a threshold is passed, slows or stops what they are about, and
// tells people.
//
// # Concepts
//
// A rule ([signalbox.AlertRule]) has a threshold in US dollars and a scope: one request, a run, or a tenant's day, week or
// month. It is passed when the cost is above the threshold. [State] decides: it is told what a call has added
// ([Observation]) and gives what follows ([Verdict]); it has no clock and does no I/O.
//
// An alert is raised when its threshold is first passed, once for each thing it is about: the request, the run, the tenant
// in that window. With a cooldown it is raised again while cost is added above the threshold, at most once in the
// cooldown. Rules about one request are raised once for each; a cooldown then holds them back after other requests of
// the same run or, without a run, of the same agent. A call without a run is a run of its own. A cost that passes
// several thresholds at once raises each.
//
// Two rules nobody configures: "budget" is raised, as a warning, when a budget has reached its warn_at and, as critical,
// when a soft one is exceeded, each once in the window of its account; "overrun" when a provider billed more than was
// held.
//
// The actions throttle and halt set a [signalbox.Brake] on the run, for scopes request and run, or on the tenant until the
// window ends. A halt refuses new calls with code frozen and ends those under way: their context ends with the error as
// its cause. A rule to halt about a single call ends that call also where there is no run to halt, or where the cooldown
// holds the alert back. A brake that would add nothing to one that holds is not set, so that an operator has one to lift.
//
// [Engine] feeds the state: [Engine.Ended] with every durable outcome, [Engine.Progress] with the estimates of running
// streams, and, where there are replicas, with what an account comes to over all of them ([Totals]), a moment after a call
// has added to it. Brakes hold in this process at once; the alert, its brake and its notifications are written to the log by one
// goroutine, and reach other replicas through the store ([Engine.Sync]).
//
// [Courier] delivers notifications from the outbox, on one replica. [Webhook] signs them as the Standard Webhooks
// convention says; receivers check them with [Verify]. A receiver may be sent the same notification several times and
// tells so by its webhook-id.
//
// # Identity
//
// An alert's id is "alert_" and a digest of rule, threshold, scope, tenant, subject and window start; the n-th repetition
// has "_n" behind it. Replicas that pass the same threshold raise the same alert, and the store keeps the first. Each
// numbers its own repetitions and keeps the cooldown between them, so that all of them together keep it too.
//
// # Invariants
//
//   - Nothing here blocks a call: not the log, not a receiver. What waits for the log is bounded ([MaxPending]); beyond it
//     alerts are merged into one that tells how many there were, and counted ([Stats]).
//   - A call that enters either sees a halt or is ended by it.
//   - What is remembered is bounded ([MaxRemembered]) and forgotten when its window or run is over.
//   - A delivery is tried for about 24 hours, at most [MaxTries] times; then it is marked as failed, never dropped.
//   - A dead receiver takes [PerChannel] places of its own and none of other channels.
//
// # Limits
//
// Over replicas a threshold is noticed up to [LookAfter] later than on one process; where a replica dies in that time, with
// the next call that adds to the account.
//
// The cost of a running stream is an estimate: a rule passed by it stays passed. Between the outcome of a stream being
// durable and [Engine.Ended] being told, some microseconds, its cost counts twice in the total of its run that another
// stream's [Engine.Progress] sees. A run that merely has a name and is not called for [RunMemory] is forgotten: its
// alert is then raised a second time, under its old id.
package alert
