# Sets postgres_bin to the folder of PostgreSQL's server programs, the newest version first; empty if there is none.
# shellcheck shell=bash
postgres_bin=
for candidate in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) /usr/local/bin /usr/bin; do
  if [[ -x $candidate/initdb && -x $candidate/pg_ctl ]]; then
    postgres_bin=$candidate
    break
  fi
done
if [[ -z $postgres_bin ]] && command -v initdb >/dev/null; then postgres_bin=$(dirname "$(command -v initdb)"); fi
