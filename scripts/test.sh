#!/usr/bin/env bash
# Runs every check of `make test` in order and stops at the first that fails. Each step is a make
# target of its own, so a failed one is repeated with `make <step>`. Prints how long each took.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly STEPS=(setup build lint test-unit test-console test-e2e test-browser)

timings=()
passed=0
begin=$SECONDS

summary() {
  printf '\n'
  printf '%s\n' "${timings[@]}"
  printf 'total: %d s\n' "$((SECONDS - begin))"
}

for step in "${STEPS[@]}"; do
  printf '\n==> make %s\n' "$step"
  start=$SECONDS
  if ! make --no-print-directory "$step"; then
    timings+=("$(printf 'FAILED %-14s %4d s' "$step" "$((SECONDS - start))")")
    summary
    printf 'steps: %d passed, 1 failed\n' "$passed"
    exit 1
  fi
  timings+=("$(printf 'ok     %-14s %4d s' "$step" "$((SECONDS - start))")")
  passed=$((passed + 1))
done

summary
printf 'steps: %d passed, 0 failed\n' "$passed"
