#!/usr/bin/env bash
# Puts the rig's data set into labql's own schema, makes users and an API key.
#
#   load.sh [postgres] [sqlite]      both when neither is named
#
# Needs labql, psql, sqlite3, curl. What was there of an earlier run is dropped and made anew:
#   postgres   the schema `labql` of the rig's database; the API key in $BENCH_WORK/labql/key
#   sqlite     $BENCH_WORK/labql-sqlite/labql.db from $BENCH_WORK/bench.sqlite; the API key beside it
set -euo pipefail
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${LABQL:?the labql to measure, a path}" "${BENCH_WORK:?the work folder of the rig}"
: "${BENCH_DSN:=postgresql://bench@127.0.0.1:55432/bench}"
port=${LABQL_LOAD_PORT:-4090}
server=
trap '[[ -z $server ]] || kill "$server"' EXIT

# Settings come from the environment alone, not from a labql.toml that happens to be here.
cd "$BENCH_WORK"
labql() { LABQL_DATABASE__URL=$url LABQL_DATA_DIR=$folder LABQL_LOG__FILTER=warn "$LABQL" "$@"; }

# A key is made by its owner, and words by labql alone: the server is started for that, and stopped.
make_key_and_datasets() {
  labql user add rig --no-password
  labql user add keeper --admin --no-password
  # Not through the function: what is stopped must be labql itself.
  LABQL_DATABASE__URL=$url LABQL_DATA_DIR=$folder LABQL_LOG__FILTER=warn \
    "$LABQL" serve --listen "127.0.0.1:$port" >/dev/null &
  server=$!
  curl -s --retry 30 --retry-delay 1 --retry-connrefused -o /dev/null "http://127.0.0.1:$port/ready" || {
    echo "labql does not serve on port $port" >&2
    exit 1
  }
  curl -sS "http://127.0.0.1:$port/graphql" \
    -H "Authorization: Bearer $(labql token rig --life 5m 2>/dev/null)" -H 'Content-Type: application/json' \
    -d '{"query": "mutation { createApiKey(input: { label: \"rig\" }) { secret errors { message } } }"}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["createApiKey"]["secret"])' >"$folder/key"
  python3 "$here/register.py" "http://127.0.0.1:$port/graphql" "$(labql token keeper --life 1h 2>/dev/null)" \
    "$BENCH_WORK/bench.sqlite"
  kill "$server"
  wait "$server" || true
  server=
}

new_folder() {
  rm -rf "$folder"
  mkdir -m 700 "$folder"
}

[[ $# -gt 0 ]] || set -- postgres sqlite
for database; do
  echo "== $database"
  case $database in
  postgres)
    folder=$BENCH_WORK/labql
    # psql and labql read the same address.
    url="$BENCH_DSN?options=-c%20search_path%3Dlabql"
    new_folder
    psql -X -q "$BENCH_DSN" -c 'SET client_min_messages = warning' \
      -c 'DROP SCHEMA IF EXISTS labql CASCADE' -c 'CREATE SCHEMA labql'
    labql migrate up
    psql -X -q -o /dev/null "$url" -f "$here/load.postgres.sql"
    make_key_and_datasets
    psql -X -q -o /dev/null "$url" -f "$here/datasets.postgres.sql"
    ;;
  sqlite)
    folder=$BENCH_WORK/labql-sqlite
    url=sqlite:$folder/labql.db
    new_folder
    labql migrate up
    sqlite3 -bail -cmd "ATTACH '$BENCH_WORK/bench.sqlite' AS rig" "$folder/labql.db" \
      <"$here/load.sqlite.sql" >/dev/null
    make_key_and_datasets
    sqlite3 -bail -cmd "ATTACH '$BENCH_WORK/bench.sqlite' AS rig" "$folder/labql.db" \
      <"$here/datasets.sqlite.sql" >/dev/null
    ;;
  *)
    echo "usage: load.sh [postgres] [sqlite]" >&2
    exit 2
    ;;
  esac
done
