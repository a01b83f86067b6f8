#!/usr/bin/env bash
# A private, throw-away PostgreSQL for tests, on a socket and a loopback port of its own.
#   postgres.sh start FOLDER   makes and starts it in FOLDER (which must not exist), prints its URL
#   postgres.sh stop FOLDER    stops it and deletes FOLDER
#   postgres.sh halt FOLDER    ends it at once, as a crash would
#   postgres.sh resume FOLDER  starts again what was halted
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source scripts/postgres-bin.sh

(($# == 2)) || die 'usage: postgres.sh start|stop|halt|resume FOLDER'
folder=$2

# PostgreSQL refuses to run as root: then it runs as the user that its package made.
run() {
  if ((EUID == 0)); then
    (cd / && runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

start() {
  [[ -n $postgres_bin ]] || die 'PostgreSQL is not installed: apt-get install postgresql'
  [[ ! -e $folder ]] || die "$folder exists"
  mkdir -m 700 "$folder"
  local port password settings
  port=$(free_port)
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '%s\n' "$password" >"$folder/password"
  if ((EUID == 0)); then chown -R postgres: "$folder"; fi
  run "$postgres_bin/initdb" --pgdata="$folder/data" --username=labql --pwfile="$folder/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >"$folder.log" 2>&1 || die "initdb: $(cat "$folder.log")"
  # Nothing here needs to survive a power cut.
  settings="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$folder -c max_connections=200"
  settings+=' -c fsync=off -c synchronous_commit=off -c full_page_writes=off'
  run "$postgres_bin/pg_ctl" start --pgdata="$folder/data" --log="$folder/log" --options="$settings" --wait \
    >>"$folder.log" 2>&1 || die "pg_ctl: $(cat "$folder.log" "$folder/log")"
  rm -f "$folder.log"
  echo "postgres://labql:$password@127.0.0.1:$port/postgres"
}

stop() {
  [[ -e $folder/data/PG_VERSION ]] || return 0
  run "$postgres_bin/pg_ctl" stop --pgdata="$folder/data" --mode=immediate --wait >/dev/null 2>&1 || true
  rm -rf "$folder" "$folder.log"
}

halt() { run "$postgres_bin/pg_ctl" stop --pgdata="$folder/data" --mode=immediate --wait >/dev/null; }

# `restart` takes the options of the last start; without a server that runs it says so, and starts one.
resume() {
  run "$postgres_bin/pg_ctl" restart --pgdata="$folder/data" --log="$folder/log" --wait >/dev/null 2>&1 ||
    die "pg_ctl: $(cat "$folder/log")"
}

case $1 in
start | stop | halt | resume) "$1" ;;
*) die "unknown command: $1" ;;
esac
