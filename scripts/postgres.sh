#!/usr/bin/env bash
# A PostgreSQL server for the tests: temporary, on a free port of 127.0.0.1, and as durable as a real one (fsync is on).
#
#   eval "$(scripts/postgres.sh start)"   starts it and sets SIGNALBOX_TEST_POSTGRES for this shell
#   scripts/postgres.sh stop              ends it and removes its files
#   scripts/postgres.sh install           only sees to it that PostgreSQL is there
#
# Where SIGNALBOX_TEST_POSTGRES is set already, that server is used and left alone. PostgreSQL is taken from PATH or from
# where Debian keeps it; where it is missing, Debian's package is installed (root), without its default cluster.
set -euo pipefail

readonly MIN=14
readonly TRIES=5 # Of finding a free port: somebody else may take it in between.

die() {
  printf 'postgres: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# usable FOLDER: true when it holds a server that is new enough.
usable() {
  [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] || return 1
  local version
  version=$("$1/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
  [ "$version" -ge "$MIN" ]
}

# find_bin prints the folder of PostgreSQL's programs, the newest first; nothing where there is none.
find_bin() {
  local folder
  while IFS= read -r folder; do
    if usable "$folder"; then
      echo "$folder"
      return
    fi
  done < <(
    for folder in /usr/lib/postgresql/*/bin; do [ -d "$folder" ] && echo "$folder"; done | sort -rV
    if have pg_ctl; then dirname "$(readlink -f "$(command -v pg_ctl)")"; fi
  )
}

install() {
  [ -z "$(find_bin)" ] || return 0
  [ "$(id -u)" = 0 ] || die "PostgreSQL $MIN or newer is missing. Run 'make setup' as root, or install it yourself."
  have apt-get || die "PostgreSQL $MIN or newer is missing. Install it with your system's package manager."
  local log
  log=$(mktemp)
  printf 'postgres: installing postgresql\n' >&2
  export DEBIAN_FRONTEND=noninteractive
  {
    apt-get update && apt-get install -y --no-install-recommends postgresql-common &&
      sed -i -E 's/^#? *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf &&
      apt-get install -y --no-install-recommends postgresql
  } >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    rm -f "$log"
    die "apt-get could not install PostgreSQL. Its last lines are above."
  }
  rm -f "$log"
  [ -n "$(find_bin)" ] || die "PostgreSQL $MIN or newer is still missing after the installation."
}

# as_user COMMAND…: PostgreSQL refuses to run as root.
as_user() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  elif id postgres >/dev/null 2>&1; then
    (cd / && runuser -u postgres -- "$@")
  else
    (cd / && runuser -u nobody -- "$@")
  fi
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# run HOME PORT: true once the server accepts connections there.
run() {
  as_user "$bin/pg_ctl" start -w -t 60 -D "$1/data" -l "$1/log" -o "-p $2 -k $1 -c listen_addresses=127.0.0.1 \
    -c max_connections=300 -c fsync=on -c max_wal_size=1GB -c checkpoint_timeout=30min" >/dev/null 2>&1
}

start() {
  [ -z "${SIGNALBOX_TEST_POSTGRES:-}" ] || return 0
  install
  bin=$(find_bin)
  home=$(as_user mktemp -d /tmp/signalbox-postgres.XXXXXX) # A short path: the socket's name has a bound.
  # shellcheck disable=SC2064 # The name is wanted as it is now.
  trap "rm -rf '$home'" EXIT
  as_user "$bin/initdb" -D "$home/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$home.initdb" 2>&1 || {
    cat "$home.initdb" >&2
    rm -f "$home.initdb"
    die "initdb failed, see above."
  }
  rm -f "$home.initdb"
  local port
  for ((i = 0; i < TRIES; i++)); do
    port=$((20000 + RANDOM % 12000))
    listens "$port" && continue
    if run "$home" "$port"; then
      trap - EXIT
      printf 'postgres: %s on port %s\n' "$("$bin/postgres" --version)" "$port" >&2
      printf 'export SIGNALBOX_TEST_POSTGRES=%q SIGNALBOX_TEST_POSTGRES_HOME=%q\n' \
        "postgres://postgres@127.0.0.1:$port/postgres" "$home"
      return
    fi
  done
  tail -n 30 "$home/log" >&2
  die "the server did not start, see above."
}

# stop ends only a server that start has made.
stop() {
  local home=${SIGNALBOX_TEST_POSTGRES_HOME:-}
  case $home in
    /tmp/signalbox-postgres.*) ;;
    *) return 0 ;;
  esac
  [ -d "$home" ] || return 0
  bin=$(find_bin)
  as_user "$bin/pg_ctl" stop -w -t 60 -m immediate -D "$home/data" >/dev/null 2>&1 ||
    printf 'postgres: the server in %s was not running any more\n' "$home" >&2
  rm -rf "$home"
}

case ${1:-} in
  start | stop | install) "$1" ;;
  *)
    echo "usage: scripts/postgres.sh start|stop|install" >&2
    exit 2
    ;;
esac
