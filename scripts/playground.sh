#!/usr/bin/env bash
# Builds playground/dist, if a source is newer.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

page=playground/dist/index.html
if [[ -e $page ]]; then
  newer=$(find playground docs/examples \( -name node_modules -o -name dist \) -prune -o -type f -newer "$page" -print -quit)
  [[ -n $newer ]] || exit 0
fi
need node
npm_ci playground
say 'Playground'
(cd playground && npm run --silent build </dev/null)
