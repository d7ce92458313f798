#!/usr/bin/env bash
# `make test-real-model`: a real small model, served by llama.cpp on this machine, called through Signalbox with both
# APIs, unary and as a stream. Prints a transcript; TRANSCRIPT=FILE also writes it there. Every answer is checked: whole,
# counted, priced, recorded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

HOME_DIR=$(pwd)/.bin/real-model
mkdir -p "$HOME_DIR"
[ -x "$HOME_DIR/venv/bin/python" ] || python3 -m venv "$HOME_DIR/venv"
"$HOME_DIR/venv/bin/pip" install -q --disable-pip-version-check -r scripts/real-model/requirements.txt

work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

mkfifo "$work/stdin"
"$HOME_DIR/venv/bin/python" scripts/real-model/serve.py "$HOME_DIR/model.gguf" <"$work/stdin" >"$work/model.out" 2>"$work/model.log" &
pids+=($!)
exec 9>"$work/stdin"
for _ in {1..240}; do
  grep -q '^http' "$work/model.out" 2>/dev/null && break
  kill -0 "${pids[0]}" 2>/dev/null || { tail -n 20 "$work/model.log" >&2; exit 1; }
  sleep 0.5
done
model_url=$(grep '^http' "$work/model.out") || { echo "the model server did not start" >&2; exit 1; }

export SIGNALBOX_API_KEY=sb_real_model_test_key
cat >"$work/signalbox.yml" <<EOF
listen: 127.0.0.1:0
database: "sqlite:$work/signalbox.db"
tenants: [{id: default}]
keys: [{id: test, secret: "$SIGNALBOX_API_KEY", tenant: default, role: admin}]
providers:
  local: {kind: openai_compatible, base_url: "$model_url/v1"}
models:
  small: {provider: local, model: gemma-3-270m, context_window: 4096, max_output: 512, price: {input: 0.05, output: 0.20}}
EOF
bin/signalbox serve --config "$work/signalbox.yml" >"$work/signalbox.out" 2>"$work/signalbox.log" &
pids+=($!)
for _ in {1..100}; do
  grep -q 'serves http' "$work/signalbox.out" 2>/dev/null && break
  kill -0 "${pids[1]}" 2>/dev/null || { cat "$work/signalbox.log" >&2; exit 1; }
  sleep 0.1
done
SIGNALBOX_URL=$(sed -n 's/.*serves \(http[^ ]*\).*/\1/p' "$work/signalbox.out")
export SIGNALBOX_URL

passed=0
check() { # check WHAT PATTERN FILE
  grep -q -- "$2" "$3" || { echo "FAILED: $1: no $2 in:" >&2; cat "$3" >&2; exit 1; }
  passed=$((passed + 1))
}

# ask TITLE PATH BODY: sends it, prints request and answer, leaves the answer in $work/answer and its headers in $work/head.
ask() {
  printf '\n## %s\n\n```\nPOST %s\n%s\n```\n\n```\n' "$1" "$2" "$3"
  curl -sS -N --max-time 300 -D "$work/head" -o "$work/answer" "$SIGNALBOX_URL$2" \
    -H "Authorization: Bearer $SIGNALBOX_API_KEY" -H 'Content-Type: application/json' -H 'anthropic-version: 2023-06-01' -d "$3"
  grep -iE '^(HTTP|X-Signalbox-(Model|Cost-Usd|Simulated))' "$work/head" | tr -d '\r'
  echo
  if [ "$(wc -c <"$work/answer")" -gt 2500 ]; then
    head -c 900 "$work/answer"
    printf '\n[... %s bytes in all ...]\n' "$(wc -c <"$work/answer")"
    tail -c 900 "$work/answer"
  else
    cat "$work/answer"
  fi
  printf '\n```\n'
  check "$1" '200' "$work/head"
}

transcript() {
  echo "# A real model through Signalbox"
  echo
  echo "Written by \`make test-real-model\`: Gemma 3 (270M parameters, Q4_K_M), served by llama.cpp's OpenAI-compatible"
  echo "server, called with the OpenAI and the Anthropic API. Such a small model says little of worth; what counts here is"
  echo "that the answers are whole, counted, priced and recorded."
  question='A railway signal shows one of three colours. They are'
  ask "OpenAI, unary" /v1/chat/completions \
    "{\"model\":\"small\",\"max_tokens\":24,\"messages\":[{\"role\":\"user\",\"content\":\"$question\"}]}"
  check "OpenAI, unary" '"total_tokens"' "$work/answer"
  check "OpenAI, unary" 'Cost-Usd: 0.0000' "$work/head"
  ask "OpenAI, stream" /v1/chat/completions \
    "{\"model\":\"small\",\"max_tokens\":24,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"$question\"}]}"
  check "OpenAI, stream" 'data: \[DONE\]' "$work/answer"
  ask "Anthropic, unary" /v1/messages \
    "{\"model\":\"small\",\"max_tokens\":24,\"messages\":[{\"role\":\"user\",\"content\":\"$question\"}]}"
  check "Anthropic, unary" '"stop_reason"' "$work/answer"
  ask "Anthropic, stream" /v1/messages \
    "{\"model\":\"small\",\"max_tokens\":24,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"$question\"}]}"
  check "Anthropic, stream" 'message_stop' "$work/answer"
  printf '\n## What was recorded\n\n```\n$ signalbox audit list\n'
  bin/signalbox audit list | tee "$work/records"
  printf '$ signalbox audit verify\n'
  bin/signalbox audit verify
  echo '```'
  [ "$(grep -c ' outcome .* ok ' "$work/records")" = 4 ] || { echo "FAILED: not every call has an outcome" >&2; exit 1; }
  echo "$passed" >"$work/passed"
}

transcript | tee "$work/transcript"
[ -z "${TRANSCRIPT:-}" ] || cp "$work/transcript" "$TRANSCRIPT"
echo "$(cat "$work/passed") passed, 0 failed"
