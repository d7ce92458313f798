#!/usr/bin/env bash
# The web console: build (writes console/dist), check (types, unit tests, committed build equals its source, size),
# browser (journeys in Chromium against the real binary).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly TOP=$PWD
readonly CONSOLE=$TOP/console

# Installs exactly what the lock file says, without running anybody's scripts; does nothing if that is there already.
install_packages() {
  local stamp=$CONSOLE/node_modules/.signalbox-lock
  if [ -f "$stamp" ] && cmp -s "$stamp" "$CONSOLE/package-lock.json"; then
    return
  fi
  npm --prefix "$CONSOLE" ci --ignore-scripts --no-audit --no-fund
  cp "$CONSOLE/package-lock.json" "$stamp"
}

script() { NO_COLOR=1 npm --prefix "$CONSOLE" run --silent "$@"; }

# packed_equal FOLDER: every .gz in it holds the file beside it.
packed_equal() {
  local packed
  while IFS= read -r -d '' packed; do
    gzip -dc "$packed" | cmp -s - "${packed%.gz}" || { echo "console: $packed does not hold ${packed%.gz}" >&2; return 1; }
  done < <(find "$1" -name '*.gz' -print0)
}

# Builds anew and compares with what was there: what the binary embeds must come from the source beside it.
compare_build() {
  local before
  before=$(mktemp -d)
  # shellcheck disable=SC2064 # The name is wanted as it is now.
  trap "rm -rf '$before'" EXIT
  cp -R "$CONSOLE/dist/." "$before"
  script build
  # Compressed bytes may differ between versions of Node; what they hold may not.
  if ! diff -rq --exclude='*.gz' "$before" "$CONSOLE/dist" || ! packed_equal "$before"; then
    echo "console: console/dist was not built from this source. It is now: look at it and commit it." >&2
    return 1
  fi
  echo "console: the committed build equals its source"
}

# The journeys that start servers of their own run beside those that share one, which run one after another.
journeys() {
  local own status=0
  export CONSOLE_URL=$SIGNALBOX_URL
  own=$(mktemp)
  script e2e -- e2e/real >"$own" 2>&1 &
  script e2e -- --exclude 'e2e/real/**' || status=1
  wait $! || status=1
  cat "$own"
  rm -f "$own"
  return "$status"
}

case ${1:-} in
  build)
    install_packages
    script build
    ;;
  check)
    install_packages
    script check
    script test
    compare_build
    script gate
    ;;
  browser)
    install_packages
    # shellcheck source=scripts/instance.sh
    source "$TOP/scripts/instance.sh"
    home=$(mktemp -d)
    trap 'instance_stop; rm -rf "$home"' EXIT
    instance_start "$home" 127.0.0.1:0
    instance_demo
    journeys
    ;;
  *)
    echo "usage: scripts/console.sh build|check|browser" >&2
    exit 2
    ;;
esac
