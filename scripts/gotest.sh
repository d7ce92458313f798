#!/usr/bin/env bash
# Runs the Go tests: unit (all but the tests of the whole), e2e (the tests of the whole, against bin/signalbox),
# or long (the long form of both). All with the race detector, which is the one thing here that needs cgo, and with the
# same flags, so that dependencies are compiled once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly HOUSE=./tests/house # Reads the tree, needs no binary: it belongs to the unit tests and runs first.

run() { CGO_ENABLED=1 go test -race -shuffle=on "$@"; }

# Prints the packages of the whole (tests/… except the house) or all others, one a line.
packages() {
  local all
  all=$(go list ./...)
  case $1 in
    whole) grep -E '/tests/' <<<"$all" | grep -vE '/tests/house$' || true ;;
    units) grep -vE '/tests/' <<<"$all" ;;
  esac
}

case ${1:-} in
  unit)
    run "$HOUSE"
    mapfile -t units < <(packages units)
    run -timeout=10m "${units[@]}"
    ;;
  e2e)
    mapfile -t whole < <(packages whole)
    [ "${#whole[@]}" -gt 0 ] || { echo "gotest: found no end-to-end test" >&2; exit 1; }
    SIGNALBOX_BIN=$PWD/bin/signalbox run -timeout=15m "${whole[@]}"
    ;;
  long)
    mapfile -t whole < <(packages whole)
    SIGNALBOX_BIN=$PWD/bin/signalbox SIGNALBOX_TEST_LONG=1 run -count=1 -timeout=6h "${whole[@]}"
    ;;
  *)
    echo "usage: scripts/gotest.sh unit|e2e|long" >&2
    exit 2
    ;;
esac
