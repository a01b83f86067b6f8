# Shared by the scripts; sourced, not run.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n== %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# One absolute target folder for cargo and for what the scripts install.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
[[ $CARGO_TARGET_DIR = /* ]] || CARGO_TARGET_DIR=$root/$CARGO_TARGET_DIR
# shellcheck disable=SC2034
labql=$CARGO_TARGET_DIR/debug/labql
venv=$CARGO_TARGET_DIR/venv
# shellcheck disable=SC2034
venv_autosubmit=$CARGO_TARGET_DIR/venv-autosubmit
# shellcheck disable=SC2034
venv_dtool=$CARGO_TARGET_DIR/venv-dtool

# at_least WANTED FOUND: compares dotted versions.
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# need rust|node...: what this step needs, with words on how to get what is missing.
need() {
  local missing=() tool
  for tool in "$@"; do "missing_$tool"; done
  ((${#missing[@]} == 0)) && return
  printf 'error: this machine lacks something. Missing:\n' >&2
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
}

# These two add to the list of their caller.
missing_rust() {
  if ! has cargo; then
    missing+=('cargo (Rust 1.94 or newer): https://rustup.rs')
  elif ! at_least 1.94 "$(cargo --version | cut -d ' ' -f 2)"; then
    missing+=("Rust 1.94 or newer (here is $(cargo --version)): rustup update stable")
  fi
  has cc || missing+=('a C compiler: apt-get install build-essential')
}

missing_node() {
  if ! has node || ! has npm; then
    missing+=('node 20.19 or newer, with npm: https://nodejs.org')
  elif ! at_least 20.19 "$(node --version | tr -d v)"; then
    missing+=("node 20.19 or newer (here is $(node --version)): https://nodejs.org")
  fi
}

# npm_ci FOLDER: installs from the lock file, unless that has been done.
npm_ci() {
  local done=$1/node_modules/.package-lock.json
  [[ -e $done && ! $1/package-lock.json -nt $done ]] && return
  say "npm ci in $1"
  (cd "$1" && npm ci --no-fund --no-audit --loglevel=error </dev/null)
}

# python_tools FOLDER REQUIREMENTS...: a virtual environment with these files installed, unless that has been done.
python_tools() {
  local folder=$1 stamp=$1/.installed
  shift
  if [[ -e $stamp ]] && cat "$@" | cmp -s - "$stamp"; then return; fi
  say "Python tools in ${folder##*/}"
  # Failures are told by hand: a caller may go on without these tools.
  python3 -m venv "$folder" || return
  "$folder/bin/pip" install --quiet --disable-pip-version-check "${@/#/--requirement=}" </dev/null || return
  cat "$@" >"$stamp"
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}
