#!/usr/bin/env bash
# Builds labql and serves the demo lab.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need rust node
scripts/playground.sh
say 'labql'
cargo build --locked
folder=${LABQL_DEMO_DIR:-.labql/demo}
unset LABQL_DEMO_DIR # no setting of the server
exec "$labql" demo --live --dir "$folder"
