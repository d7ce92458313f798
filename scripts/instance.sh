# shellcheck shell=bash
# Functions around one running instance, for scripts that need one: instance_start, instance_demo, instance_stop.
# They set and export SIGNALBOX_URL and SIGNALBOX_API_KEY. To be sourced by scripts with `set -euo pipefail`.

SIGNALBOX_BIN=${SIGNALBOX_BIN:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/bin/signalbox}
readonly INSTANCE_WAIT=60 # Seconds until an instance must be ready; it takes one on a slow disk.

instance_pid=
instance_log=

# instance_key FILE: prints the key kept in FILE; the first time it makes one that nobody can guess.
instance_key() {
  if [ ! -s "$1" ]; then
    (umask 077 && printf 'sb_%s\n' "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')" >"$1")
  fi
  cat "$1"
}

# instance_config HOME: prints the configuration of the quickstart. Providers appear when their key is in the environment.
instance_config() {
  cat <<EOF
# Written at each start of the quickstart: copy it before you change it.
database: "sqlite:$1/signalbox.db"
tenants:
  - id: default
keys:
  - {id: quickstart, secret: "\${SIGNALBOX_API_KEY}", tenant: default, role: admin}
providers:
  sim: {kind: simulated}
EOF
  [ -z "${ANTHROPIC_API_KEY:-}" ] || echo "  anthropic: {kind: anthropic, api_key: \"\${ANTHROPIC_API_KEY}\"}"
  [ -z "${OPENAI_API_KEY:-}" ] || echo "  openai: {kind: openai, api_key: \"\${OPENAI_API_KEY}\"}"
  cat <<EOF
models:
  sim-large: {provider: sim, context_window: 200000, max_output: 8192, price: {input: 3, output: 15}, fallbacks: [sim-small]}
  sim-small: {provider: sim, context_window: 128000, max_output: 4096, price: {input: 0.15, output: 0.60}}
EOF
  [ -z "${ANTHROPIC_API_KEY:-}" ] || cat <<EOF
  claude-sonnet-4-5: {provider: anthropic}
  claude-haiku-4-5: {provider: anthropic}
EOF
  [ -z "${OPENAI_API_KEY:-}" ] || cat <<EOF
  gpt-4.1: {provider: openai}
  gpt-4.1-mini: {provider: openai}
EOF
}

# instance_listens HOST PORT: true if somebody accepts connections there.
instance_listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# instance_ready HOST PORT: true once /readyz answers 200.
instance_ready() {
  (
    exec 3<>"/dev/tcp/$1/$2"
    printf 'GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" >&3
    read -r -t 5 status <&3
    [[ $status == *' 200 '* ]]
  ) 2>/dev/null
}

# instance_free_port HOST: prints a port of HOST that nobody listens on.
instance_free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 12000))
    instance_listens "$1" "$port" || { echo "$port"; return; }
  done
  echo "found no free port on $1" >&2
  return 1
}

# instance_start HOME HOST:PORT starts the quickstart with its files in HOME and waits until it is ready. Port 0 picks one.
instance_start() {
  local home=$1 host=${2%:*} port=${2##*:}
  mkdir -p "$home"
  chmod 700 "$home"
  [ "$port" != 0 ] || port=$(instance_free_port "$host")
  if instance_listens "$host" "$port"; then
    echo "$host:$port is in use. Stop what listens there, or choose another: make run LISTEN=127.0.0.1:8090" >&2
    return 1
  fi
  SIGNALBOX_URL=http://$host:$port
  SIGNALBOX_API_KEY=$(instance_key "$home/quickstart.key")
  export SIGNALBOX_URL SIGNALBOX_API_KEY
  instance_config "$home" >"$home/signalbox.yml"
  instance_log=$home/signalbox.log

  # A process group of its own: Ctrl-C reaches this script alone, which then stops the instance once.
  set -m
  "$SIGNALBOX_BIN" serve --config "$home/signalbox.yml" --listen "$host:$port" >>"$instance_log" 2>&1 </dev/null &
  instance_pid=$!
  set +m
  instance_wait_ready "$host" "$port"
}

instance_wait_ready() {
  local deadline=$((SECONDS + INSTANCE_WAIT))
  until instance_ready "$1" "$2"; do
    if ! kill -0 "$instance_pid" 2>/dev/null; then
      instance_pid=
      echo "Signalbox ended before it was ready. The end of $instance_log:" >&2
      tail -n 20 "$instance_log" >&2
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "Signalbox was not ready within $INSTANCE_WAIT seconds. The end of $instance_log:" >&2
      tail -n 20 "$instance_log" >&2
      return 1
    fi
    sleep 0.1
  done
}

# instance_demo sends the sample conversation through the instance.
instance_demo() { "$SIGNALBOX_BIN" demo; }

# instance_stop asks the instance to finish and waits for it. Safe to call when there is none.
instance_stop() {
  [ -n "$instance_pid" ] || return 0
  kill -TERM "$instance_pid" 2>/dev/null || true
  wait "$instance_pid" 2>/dev/null || true
  instance_pid=
}
