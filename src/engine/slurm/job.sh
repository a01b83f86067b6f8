#!/bin/sh
# A step that labql has given to Slurm. This text is the same for all of them; what differs comes as arguments:
#   FOLDER      the folder of the step, the same path on all nodes
#   WORK        the folder that it works in
#   MOST        how many bytes of each stream are kept
#   LIMIT       how many seconds it may run; 0: any number
#   GRACE       how many seconds it has to end when its time is up
#   COMMAND...  the command
# Slurm has set the environment: it is the step's own.
folder=$1 work=$2 most=$3 limit=$4 grace=$5
shift 5
has_path=${PATH+yes} path=${PATH-}
PATH=/usr/bin:/bin
umask 077

why=ended status=0 began=0

# The end, there wholly or not at all.
finish() {
  # Of a part of a pipe it would tell its own.
  times >"$folder/begun/times"
  {
    printf 'status %s\nwhy %s\nbegan %s\nended %s\ntimes ' "$status" "$why" "$began" "$(date +%s.%N)"
    tail -n 1 "$folder/begun/times"
    uname -n | sed 's/^/node /'
  } >"$folder/result.new"
  mv "$folder/result.new" "$folder/result"
}

# All processes that bear the mark of the step, wherever they have gone. One may begin another and end while they are read:
# where none is found and others have come or gone meanwhile, it is looked again.
members() {
  looks=0
  while [ "$looks" -lt 10 ]; do
    looks=$((looks + 1))
    set -- /proc/[0-9]*
    before=$*
    found=$(grep -lszxF -e "LABQL_STEP=$folder" /proc/[0-9]*/environ)
    set -- /proc/[0-9]*
    if [ -n "$found" ] || [ "$*" = "$before" ]; then break; fi
  done
  for process in $found; do
    process=${process#/proc/}
    echo "${process%/environ}"
  done
}

send() {
  for member in $(members); do
    kill "-$1" "$member" 2>/dev/null
  done
}

# Asks all to end, and makes them: the latter by a process of its own, while this one waits for the program.
killer=''
end() {
  [ -z "$killer" ] || return
  why=$1
  send TERM
  send CONT
  (
    trap - TERM
    sleep "$2"
    # The program may not bear its mark yet. The end of the step ends this, even if its signal does not.
    while kill -0 $$ 2>/dev/null && [ ! -e "$folder/result" ]; do
      send KILL
      sleep 0.1
    done
  ) &
  killer=$!
}
asked_grace() { cat "$folder/stop" 2>/dev/null || echo "$grace"; }

trap 'end canceled "$(asked_grace)"' TERM
trap 'end timeout "$grace"' ALRM

# The claim: whoever makes this folder begins the step, and nobody after that.
if ! mkdir "$folder/begun" 2>/dev/null; then
  [ -d "$folder/begun" ] && exit 0
  echo "the folder of the step cannot be written on $(uname -n)"
  exit 111
fi
printf '%s\n' "$SLURM_JOB_ID" >"$folder/begun/job"

began=$(date +%s.%N)

if [ -e "$folder/stop" ] || [ "$why" != ended ]; then
  why=canceled
  [ -z "$killer" ] || kill "$killer" 2>/dev/null
  finish
  exit 0
fi
if ! cd "$work" 2>/dev/null; then
  why="unstarted the folder to work in is not there on $(uname -n)"
  finish
  exit 0
fi

# Keeps the first bytes of a stream as they come, and counts the others.
keep() {
  trap '' TERM ALRM
  stdbuf -o0 head -c "$most" >"$1"
  more=$(wc -c)
  [ "$more" -eq 0 ] || printf '\n[%s bytes left out]\n' "$more" >>"$1"
}
mkfifo "$folder/begun/output" "$folder/begun/errors"
keep "$folder/output" <"$folder/begun/output" &
output=$!
keep "$folder/errors" <"$folder/begun/errors" &
errors=$!

(
  trap - TERM ALRM
  unset PATH
  [ -z "$has_path" ] || export PATH="$path"
  export LABQL_STEP="$folder"
  exec "$@"
) </dev/null >"$folder/begun/output" 2>"$folder/begun/errors" &
program=$!

timer=''
if [ "$limit" != 0 ]; then
  # A signal that comes before it is listened to is lost: then the end of the script ends this.
  (
    trap - TERM
    timeout "$limit" tail --pid=$$ -f /dev/null
    [ $? -ne 124 ] || kill -ALRM $$
  ) &
  timer=$!
fi

# A signal that is heard ends the waiting, but not the program.
while :; do
  wait "$program"
  status=$?
  kill -0 "$program" 2>/dev/null || break
done
[ -z "$timer" ] || kill "$timer" 2>/dev/null
trap '' TERM ALRM

# What it left running.
if [ -n "$(members)" ]; then
  send TERM
  rounds=0
  while [ -n "$(members)" ]; do
    [ "$rounds" -lt 20 ] || send KILL
    rounds=$((rounds + 1))
    sleep 0.1
  done
fi
[ -z "$killer" ] || kill "$killer" 2>/dev/null
wait "$output" "$errors"
rm -f "$folder/begun/output" "$folder/begun/errors"
finish
exit 0
