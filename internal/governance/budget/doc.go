// Package budget says what a call must be able to pay, and from which accounts. It decides nothing about room: package
// ledger holds and settles. It is pure: it reads no clock and does no I/O.
//
// # Concepts
//
//   - A [Policy] knows the budgets of tenants, teams and agents; those of keys, and the plan of an opened run, come with
//     the [Payer]. It gives the [Line]s of a call: the accounts it pays from, each with the budget that counts there and
//     the amount wanted. [Policy.Gate] gives those of requests and of calls in flight, [Policy.Attempt] those of money,
//     tokens and steps.
//   - A [Bound] is the most that an attempt can consume and cost. [Policy.Shrunk] finds the max_tokens with which it fits.
//   - [WindowStart] cuts time into calendar windows.
//   - [CheckPlan], [Check] and [CheckAll] say what is wrong with a plan or with budgets, and what to do about it.
//
// # Accounts
//
//	budget of   per window                    per run
//	tenant      tenant                        run
//	team        team of the tenant            run
//	key         key                           run
//	agent       agent of the tenant           run_agent: the agent in the run, whatever key it uses
//
// An opened run adds its total and its steps (run), the caps of the plan for the calling agent (run_agent), and the two
// parts of the total: planned, from which first attempts are paid, and reserve, from which further ones are. Without a
// run id there are no accounts of runs, without a team, key or agent none of theirs.
//
// Where several budgets name one account, one of them counts: a hard one before a soft one, then the lower cap, then
// the one that refuses. An account that only alerts look at ([Tenant.Watch]) has [signalbox.NoCap], unless a budget
// names it anyway.
//
// A further attempt in an opened run has two alternatives: the reserve, without the plan's money for the agent; or what
// first attempts pay from. The plan's caps on tokens count in both, and so does a budget of money that the configuration
// gives the agent per run. That one shares the account run_agent with the plan: what the reserve has paid then counts
// towards the agent's part of the plan too, which errs on the safe side.
//
// # Priorities
//
// An optional agent (and one that the plan does not name) draws only beyond the unspent caps of critical and normal
// agents, a normal one only beyond those of critical ones. What an agent has spent and what it may still spend add up to
// its cap. So the rule is a cap on what the agents of a priority and of those below spend together: the planned part less
// the caps of all above. The accounts planned_normal and planned_optional have these caps, and are drawn like any other:
// the rule holds over all replicas. An agent without a cap keeps nothing for itself; what it spends is counted in the
// accounts of the priorities below it, where it is gone.
//
// # The bound
//
// No tokenizer in use makes more tokens of a text than it has bytes in UTF-8, and JSON never writes a text shorter. Input
// is therefore at most the bytes of the body, what the request's parser knows to be dearer than its bytes (Unseen), and
// what models wrap around ([RequestOverhead] and its siblings); and at most the context window. Where content is not in
// the request (External), it is the window. Exact tokens, where they are given, cover everything. Output is max_tokens,
// which is always sent, once for each choice; reasoning is among it. Prices are the dearest of all tiers that the bound
// reaches; input may come from a cache or, where that is asked for (Anthropic) or happens by itself (elsewhere), be
// written to one. A provider that bills beyond that makes an overrun: booked in full, and the account is closed.
//
// Amounts of 0 stay lines: a free tool passes a cap of 0, but can be refused by an account that is closed.
//
// # Invariants
//
//   - Windows of one zone tile time: each instant is in exactly one, and which one depends on the instant alone.
//   - [Line.Key] is [signalbox.Account.String] of the line's account, and no two lines of a list share it.
//   - Whatever usage is within a bound's usage costs at most the bound's cost.
//   - What [Policy.Shrunk] gives fits, and one token more does not (or was not wanted).
//   - Amounts saturate; no sum wraps.
package budget
