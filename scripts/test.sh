#!/usr/bin/env bash
# Every test: Rust on SQLite and PostgreSQL, then the outside suites against a server with the demo lab.
# The last line is the sum: N passed, N failed, N skipped.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup-test.sh
scripts/playground.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/labql-test.XXXXXX")
# The user that PostgreSQL runs as must be able to pass.
chmod 711 "$work"
server=

clean_up() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  scripts/slurm.sh stop "$work/slurm" || true
  scripts/postgres.sh stop "$work/postgres"
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

passed=0 failed=0 skipped=0
add() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + ${3:-0}))
}

# Adds what `cargo test` says of each test binary.
add_cargo_test() {
  local counts
  counts=$(sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored;.*/\1 \2 \3/p' "$1" |
    awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
  # shellcheck disable=SC2086
  add $counts
}

# The number before a word in nextest's summary; 0 where the word is missing.
nextest_count() {
  local count
  count=$(sed -E 's/\x1b\[[0-9;]*m//g' "$1" | grep -E '^ *Summary \[' | tail -n 1 | grep -oE "[0-9]+ $2" | cut -d ' ' -f 1 || true)
  echo "${count:-0}"
}

# step NAME COMMAND...: runs it, keeps its output in $work/NAME, and fails with it.
step() {
  local name=$1
  shift
  "$@" </dev/null 2>&1 | tee "$work/$name"
}

rust_tests() {
  local before=$failed status=0
  if has cargo-nextest; then
    step nextest cargo nextest run --workspace --locked --no-fail-fast || status=$?
    add "$(nextest_count "$work/nextest" passed)" "$(nextest_count "$work/nextest" failed)" "$(nextest_count "$work/nextest" skipped)"
    add 0 "$(nextest_count "$work/nextest" 'timed out')"
    step doctest cargo test --workspace --locked --doc --no-fail-fast || status=$?
    add_cargo_test "$work/doctest"
  else
    step test cargo test --workspace --locked --no-fail-fast || status=$?
    add_cargo_test "$work/test"
  fi
  # It did not compile, or a test binary died.
  if ((status != 0 && failed == before)); then add 0 1; fi
}

# Starts the demo lab on a free port. The server writes LABQL_URL, LABQL_USER and LABQL_PASSWORD when it is ready.
start_server() {
  local ready=$work/ready
  cargo build --locked </dev/null || return
  # These two are for the tests, and no settings of the server.
  env -u LABQL_TEST_POSTGRES -u LABQL_TEST_SLURM "$labql" demo --dir "$work/demo" --listen 127.0.0.1:0 --ready-file "$ready" </dev/null >"$work/server.log" 2>&1 &
  server=$!
  local deadline=$((SECONDS + 120))
  until [[ -s $ready ]]; do
    if ! kill -0 "$server" 2>/dev/null || ((SECONDS > deadline)); then
      echo 'the server did not get ready:' >&2
      cat "$work/server.log" >&2
      return 1
    fi
    sleep 0.1
  done
  set -a
  # shellcheck disable=SC1090
  source "$ready"
  LABQL_TOKEN=$(node scripts/token.mjs)
  set +a
}

outside_tests() {
  if ! start_server; then
    add 0 1
    return
  fi
  export LABQL_PYTHON=$venv/bin/python LABQL_SCREENSHOT=$CARGO_TARGET_DIR/playground.png
  export LABQL_BINARY=$labql LABQL_LAB=$work/demo/lab/autosubmit
  local status=0
  step outside tests/outside/run.sh || status=$?
  if [[ $(tail -n 1 "$work/outside") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    add "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  else
    add 0 1
  fi
  if ((status != 0)); then
    say 'The last lines of the server'
    tail -n 50 "$work/server.log"
  fi
}

if [[ -z ${LABQL_TEST_POSTGRES:-} ]]; then
  say 'PostgreSQL'
  LABQL_TEST_POSTGRES=$(scripts/postgres.sh start "$work/postgres")
  echo "a private server on ${LABQL_TEST_POSTGRES##*@}"
fi
export LABQL_TEST_POSTGRES

if [[ -z ${LABQL_TEST_SLURM:-} ]]; then
  say 'Slurm'
  # Not every container lets its daemons run.
  if LABQL_TEST_SLURM=$(scripts/slurm.sh start "$work/slurm"); then
    echo 'a private one of a single node'
  else
    LABQL_TEST_SLURM=
    echo 'it does not start here: tests that call it are skipped'
  fi
fi
export LABQL_TEST_SLURM

say 'Rust tests'
rust_tests
say 'Outside tests'
outside_tests

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0 && passed > 0))
