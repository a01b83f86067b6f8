#!/usr/bin/env bash
# Runs every outside suite against one running server and sums up. See README.md for the environment.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2

: "${LABQL_URL:?the address of the server}" "${LABQL_TOKEN:?a token}" "${LABQL_USER:?}" "${LABQL_PASSWORD:?}"
python=${LABQL_PYTHON:-python3}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

# suite NAME COMMAND...: shows the output and adds the counts of its closing line.
suite() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  timeout 600 "$@" </dev/null 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]}
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    ((status == 0 || BASH_REMATCH[2] > 0)) && return
  fi
  echo "FAILED  $name ended with status $status"
  failed=$((failed + 1))
}

suite 'GraphQL over HTTP' node protocol/http-audit.mjs
suite 'graphql-transport-ws' node protocol/websocket.mjs
suite 'Server-sent events' node protocol/events.mjs
suite 'Relay compiler' node relay/relay.mjs
suite 'GraphQL code generator' node codegen/codegen.mjs
suite 'gql for Python' "$python" python/client.py
suite 'Clients that come back' node clients/clients.mjs
suite 'Playground in Chromium' node browser/playground.mjs

printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
