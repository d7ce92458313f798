# shellcheck shell=bash
# Functions around one running instance, for scripts that need one: instance_start, instance_demo, instance_stop.
# They set and export SIGNALBOX_URL and SIGNALBOX_API_KEY. To be sourced by scripts with `set -euo pipefail`.

SIGNALBOX_BIN=${SIGNALBOX_BIN:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/bin/signalbox}
readonly INSTANCE_WAIT=60 # Seconds until an instance must be ready; it takes one on a slow disk.

instance_pid=
instance_log=

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

# instance_start HOME HOST:PORT starts the quickstart (no configuration file) with its files in HOME and waits until it is
# ready. Port 0 picks one.
instance_start() {
  local home=$1 host=${2%:*} port=${2##*:}
  mkdir -p "$home"
  chmod 700 "$home"
  [ "$port" != 0 ] || port=$(instance_free_port "$host")
  if instance_listens "$host" "$port"; then
    echo "$host:$port is in use. Stop what listens there, or choose another: make run LISTEN=127.0.0.1:8090" >&2
    return 1
  fi
  export SIGNALBOX_URL=http://$host:$port
  instance_log=$home/signalbox.log

  # A process group of its own: Ctrl-C reaches this script alone, which then stops the instance once.
  set -m
  "$SIGNALBOX_BIN" serve --listen "$host:$port" --database "sqlite:$home/signalbox.db" >>"$instance_log" 2>&1 </dev/null &
  instance_pid=$!
  set +m
  instance_wait_ready "$host" "$port"
  instance_read_key "$home/admin.key"
}

# instance_read_key FILE exports the key that an instance without any key leaves beside its database at its first start.
instance_read_key() {
  if [ ! -s "$1" ]; then
    echo "$1 is missing: the instance has keys already and does not show them again. Move the folder away to start anew." >&2
    return 1
  fi
  SIGNALBOX_API_KEY=$(<"$1")
  export SIGNALBOX_API_KEY
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
