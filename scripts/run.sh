#!/usr/bin/env bash
# `make run`: starts the quickstart with its files in data/, sends the sample conversation through it, says where the
# console is, and serves until Ctrl-C. LISTEN chooses another address.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/instance.sh
source scripts/instance.sh

finish() {
  trap - EXIT INT TERM
  instance_stop
}
trap finish EXIT
trap 'echo; echo "Stopping."; finish; exit 0' INT TERM

instance_start data "${LISTEN:-127.0.0.1:8080}"
instance_demo

cat <<EOF

  Console   $SIGNALBOX_URL
  Key       $SIGNALBOX_API_KEY

  OpenAI    export OPENAI_BASE_URL=$SIGNALBOX_URL/v1 OPENAI_API_KEY=$SIGNALBOX_API_KEY
  Anthropic export ANTHROPIC_BASE_URL=$SIGNALBOX_URL ANTHROPIC_API_KEY=$SIGNALBOX_API_KEY

  Database, keys and log are in data/. Models named sim-... are simulated. Ctrl-C ends it.
EOF

wait "$instance_pid" || {
  code=$?
  instance_pid=
  echo "Signalbox ended by itself (code $code). The end of $instance_log:" >&2
  tail -n 20 "$instance_log" >&2
  exit 1
}
