#!/usr/bin/env bash
# Runs the Go tests: unit (all but the tests of the whole), e2e (the tests of the whole, against bin/signalbox),
# or long. All with the race detector, which is the one thing here that needs cgo, and with the same flags, so that
# dependencies are compiled once.
#
# The long form, with what each part takes unless the variable says otherwise: SIGNALBOX_KILLS crashes of one process (1000)
# and SIGNALBOX_REPLICA_KILLS of one of three replicas (200), SIGNALBOX_CONSERVATION calls whose bills are compared with
# records and ledger (1000000), SIGNALBOX_OVERSHOOT of clients against caps (10m), SIGNALBOX_TAMPERINGS with a stored log
# (10000), SIGNALBOX_APPROVAL_KILLS crashes while calls wait for people (200), SIGNALBOX_TOOL_KILLS children of MCP servers that are killed
# under load (500), SIGNALBOX_SWEEP system calls of an append that fail in each way (24); SIGNALBOX_INTERLEAVINGS of people and processes
# that decide about calls (1000000) and SIGNALBOX_POLICY_PAIRS of policies and requests (1000000); then every unit test twenty
# times, and every fuzz target for FUZZ_TIME (5m).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly HOUSE=./tests/house # Reads the tree, needs no binary: it belongs to the unit tests and runs first.

# Without packages `go test` would quietly test the folder it stands in.
need_whole() {
  [ "${#whole[@]}" -gt 0 ] && return
  echo "gotest: found no end-to-end test below tests/" >&2
  exit 1
}

run() { CGO_ENABLED=1 go test -race -shuffle=on "$@"; }

# plain is run without the race detector: it would watch the tests, and not the binary that they are about.
plain() { CGO_ENABLED=0 go test -shuffle=on "$@"; }

# postgres starts a PostgreSQL server unless the caller has one, and ends it with this script.
postgres() {
  [ -z "${SIGNALBOX_TEST_POSTGRES:-}" ] || return 0
  local settings
  settings=$(scripts/postgres.sh start)
  eval "$settings"
  trap 'scripts/postgres.sh stop' EXIT
}

# fuzz TIME: every fuzz target of the units, one after the other, each for TIME. New finds land in testdata/fuzz.
fuzz() {
  local unit targets target
  for unit in "${units[@]}"; do
    targets=$(go test -list '^Fuzz' "$unit" | grep '^Fuzz' || true)
    for target in $targets; do
      go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$unit"
    done
  done
}

# Assigned on lines of their own, so that a failing `go list` ends the script.
all=$(go list ./...)
mapfile -t whole < <(grep -E '/tests/' <<<"$all" | grep -vE '/tests/house$' || true)
mapfile -t units < <(grep -vE '/tests/' <<<"$all")

case ${1:-} in
  unit)
    run "$HOUSE"
    postgres
    run -timeout=10m "${units[@]}"
    ;;
  e2e)
    need_whole
    postgres
    SIGNALBOX_BIN=$PWD/bin/signalbox plain -timeout=15m "${whole[@]}"
    ;;
  long)
    need_whole
    postgres
    SIGNALBOX_BIN=$PWD/bin/signalbox SIGNALBOX_TEST_LONG=1 SIGNALBOX_KILLS=${SIGNALBOX_KILLS:-1000} SIGNALBOX_REPLICA_KILLS=${SIGNALBOX_REPLICA_KILLS:-200} \
      SIGNALBOX_CONSERVATION=${SIGNALBOX_CONSERVATION:-1000000} SIGNALBOX_OVERSHOOT=${SIGNALBOX_OVERSHOOT:-10m} \
      SIGNALBOX_SWEEP=${SIGNALBOX_SWEEP:-24} SIGNALBOX_APPROVAL_KILLS=${SIGNALBOX_APPROVAL_KILLS:-200} \
      SIGNALBOX_TOOL_KILLS=${SIGNALBOX_TOOL_KILLS:-500} \
      SIGNALBOX_TAMPERINGS=${SIGNALBOX_TAMPERINGS:-10000} \
      run -count=1 -timeout=6h "${whole[@]}"
    SIGNALBOX_INTERLEAVINGS=${SIGNALBOX_INTERLEAVINGS:-1000000} go test -run TestInterleavings -timeout 6h ./internal/orchestration/approval
    SIGNALBOX_POLICY_PAIRS=${SIGNALBOX_POLICY_PAIRS:-1000000} go test -timeout 2h ./internal/governance/policy
    run -count=20 -timeout=6h "${units[@]}"
    fuzz "${FUZZ_TIME:-5m}"
    ;;
  *)
    echo "usage: scripts/gotest.sh unit|e2e|long" >&2
    exit 2
    ;;
esac
