#!/usr/bin/env bash
# Installs what the tests need beyond Go and Node: a C compiler for the race detector, Chromium and
# a Korean font for the console's journeys, git, PostgreSQL, and strace to make disks fail. Debian packages only, nothing
# from anywhere else.
#
# Idempotent, and quick when nothing is missing: then no package list is read. What cannot be had
# is named and the script fails; no later step may quietly do without it.
set -euo pipefail

# Node 20.19 is the oldest that the console's build tool runs on.
readonly NODE_MIN=20.19
readonly GO_MIN=1.26

die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least MIN GOT: true when the version GOT is MIN or newer.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

need_toolchains() {
  have go || die "Go is missing. Install Go ${GO_MIN} or newer and put it on PATH."
  local go_version
  go_version=$(go env GOVERSION)
  at_least "$GO_MIN" "${go_version#go}" || die "Go ${go_version#go} is too old. Install ${GO_MIN} or newer."

  if ! have node || ! have npm; then
    die "Node.js or npm is missing. Install Node.js ${NODE_MIN} or newer with npm."
  fi
  local node_version
  node_version=$(node --version)
  at_least "$NODE_MIN" "${node_version#v}" || die "Node.js ${node_version#v} is too old. Install ${NODE_MIN} or newer."
}

korean_font() { have fc-list && [ -n "$(fc-list :lang=ko family)" ]; }

# Prints the Debian packages whose parts are missing, one a line.
missing() {
  have git || echo git
  have strace || echo strace
  have gcc || { echo gcc; echo libc6-dev; }
  have chromium || echo chromium
  have fc-list || echo fontconfig
  korean_font || echo fonts-nanum
}

install_packages() {
  [ "$(id -u)" = 0 ] || die "missing: $*. Run 'make setup' as root, or install these packages yourself."
  have apt-get || die "missing: $*. This script installs with apt-get only; install them with your system's package manager."
  local log
  log=$(mktemp)
  # shellcheck disable=SC2064 # The name is wanted as it is now.
  trap "rm -f '$log'" EXIT
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    die "apt-get could not install: $*. Its last lines are above."
  }
}

main() {
  need_toolchains
  local packages
  mapfile -t packages < <(missing)
  if [ "${#packages[@]}" -gt 0 ]; then
    printf 'setup: installing %s\n' "${packages[*]}"
    install_packages "${packages[@]}"
    mapfile -t packages < <(missing)
    [ "${#packages[@]}" -eq 0 ] || die "still missing after the installation: ${packages[*]}"
  fi
  "$(dirname "${BASH_SOURCE[0]}")/postgres.sh" install
  printf 'setup: %s, node %s, %s\n' "$(go env GOVERSION)" "$(node --version)" "$(chromium --version 2>/dev/null | head -n 1)"
}

main "$@"
