#!/usr/bin/env bash
# A private, throw-away Slurm with one node for tests, on loopback ports of its own, with a munge of its own.
#   slurm.sh start FOLDER   makes and starts it in FOLDER (which must not exist), prints the path of its slurm.conf
#   slurm.sh stop FOLDER    stops it with all its jobs, and deletes FOLDER
#   slurm.sh halt FOLDER    ends its controller, which saves its state
#   slurm.sh resume FOLDER  starts the controller again
# SLURM_SETTINGS has lines for slurm.conf, in place of those that are there by the same name.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

(($# == 2)) || die 'usage: slurm.sh start|stop|halt|resume FOLDER'
folder=$2
conf=$folder/slurm.conf
export SLURM_CONF=$conf

# until_ready SECONDS COMMAND...: waits until the command succeeds.
until_ready() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# end SIGNAL PID_FILE: ends what the file tells, with its children, and waits until it is gone.
end() {
  local pid
  pid=$(cat "$folder/$2" 2>/dev/null) || return 0
  [[ -n $pid && -r /proc/$pid/cmdline ]] || return 0
  # Another process may have the number by now.
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qF -e "$folder" || return 0
  kill "-$1" "$pid" 2>/dev/null || true
  until_ready 30 gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
}
gone() { [[ ! -e /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status"; }

setting() { printf '%s\n' "$@" >>"$conf"; }

configure() {
  local host node controller_port node_port
  host=$(hostname -s)
  # Without its name and what it has not been told here: boards, sockets and the like.
  node=$(slurmd -C | sed -nE 's/^NodeName=[^ ]+ .*(RealMemory=[0-9]+).*/\1/p')
  controller_port=$(free_port)
  node_port=$(free_port)
  setting ClusterName=labql "SlurmctldHost=$host(127.0.0.1)" CommunicationParameters=NoInAddrAny,NoCtldInAddrAny \
    "SlurmctldPort=$controller_port" "SlurmdPort=$node_port" "SlurmUser=$(id -un)" "SlurmdUser=$(id -un)" \
    AuthType=auth/munge "AuthInfo=socket=$folder/munge/socket" CredType=cred/munge \
    MpiDefault=none ProctrackType=proctrack/linuxproc TaskPlugin=task/none SwitchType=switch/none \
    JobAcctGatherType=jobacct_gather/linux JobAcctGatherFrequency=task=1 AccountingStorageType=accounting_storage/none \
    SelectType=select/cons_tres SelectTypeParameters=CR_CPU_Memory DefMemPerCPU=200 \
    SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0 SlurmdParameters=config_overrides \
    KillWait=5 ReturnToService=2 SlurmctldTimeout=30 SlurmdTimeout=60 \
    "SlurmctldPidFile=$folder/slurmctld.pid" "SlurmdPidFile=$folder/slurmd.pid" \
    "SlurmctldLogFile=$folder/slurmctld.log" "SlurmdLogFile=$folder/slurmd.log" \
    "StateSaveLocation=$folder/state" "SlurmdSpoolDir=$folder/spool"
  local line
  while IFS= read -r line; do
    [[ -n $line ]] || continue
    sed -i "/^${line%%=*}=/d" "$conf"
    setting "$line"
  done <<<"${SLURM_SETTINGS:-}"
  # More processors than there are: jobs of tests wait more than they work.
  setting "NodeName=$host NodeAddr=127.0.0.1 CPUs=8 $node State=UNKNOWN" \
    'PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP'
  # Where a node has no such plugin it does not start; jobs are found by /proc here.
  echo CgroupPlugin=cgroup/v1 >"$folder/cgroup.conf"
}

start() {
  local program
  for program in munged munge slurmctld slurmd sbatch; do
    has "$program" || die "$program is not installed: apt-get install slurmctld slurmd slurm-client munge"
  done
  [[ $folder = /* ]] || die "$folder is no absolute path"
  [[ ! -e $folder ]] || die "$folder exists"
  mkdir -m 755 "$folder" "$folder/munge"
  # Whatever goes wrong from here on, no daemon is left behind.
  trap stop EXIT
  mkdir -m 700 "$folder/state" "$folder/spool" "$folder/secret"
  head -c 128 /dev/urandom >"$folder/secret/key"
  chmod 400 "$folder/secret/key"
  # It wants folders that nobody else may write in, up to the root, and /tmp is none: --force.
  munged --force --socket="$folder/munge/socket" --key-file="$folder/secret/key" --log-file="$folder/secret/log" \
    --pid-file="$folder/secret/pid" --seed-file="$folder/secret/seed" --num-threads=2 >"$folder.log" 2>&1 ||
    fail munged
  configure
  slurmctld -f "$conf" >>"$folder.log" 2>&1 || fail slurmctld
  slurmd -f "$conf" -N "$(hostname -s)" >>"$folder.log" 2>&1 || fail slurmd
  until_ready 60 is_idle || fail slurmctld slurmd
  trap - EXIT
  rm -f "$folder.log"
  echo "$conf"
}

is_up() { ask sinfo --noheader --format=%T | grep -qxE 'idle|mixed|allocated|completing'; }
is_idle() { [[ $(ask sinfo --noheader --format=%T) == idle ]]; }

# Slurm's commands wait long for a controller that is not there.
ask() { timeout 10 "$@"; }

# Tells why a daemon did not come up, and ends, which stops the others.
fail() {
  local daemon words
  words=$(tail -n 20 "$folder.log" "$folder/secret/log" 2>/dev/null || true)
  for daemon in "$@"; do words+=$(tail -n 20 "$folder/$daemon.log" 2>/dev/null || true); done
  die "$*: $words"
}

stop() {
  [[ -e $folder ]] || return 0
  if [[ -e $folder/slurmctld.pid ]]; then
    ask scancel --quiet --user="$(id -un)" >/dev/null 2>&1 || true
    ask scancel --quiet --signal=KILL --full --user="$(id -un)" >/dev/null 2>&1 || true
    until_ready 15 no_jobs || true
  fi
  end TERM slurmd.pid
  end TERM slurmctld.pid
  end TERM secret/pid
  # Who watches over a job outlives the node's daemon.
  local step
  for step in $(pgrep -x slurmstepd || true); do
    if ls -l "/proc/$step/fd" /proc/"$step"/cwd 2>/dev/null | grep -qF -e "$folder"; then kill -KILL "$step" || true; fi
  done
  rm -rf "$folder" "$folder.log"
}
no_jobs() {
  local jobs
  jobs=$(ask squeue --noheader) && [[ -z $jobs ]]
}

# One that is killed may have forgotten its last jobs, and gives their numbers again; a node that has them refuses all work then.
halt() { end TERM slurmctld.pid; }

resume() {
  slurmctld -f "$conf" || die "slurmctld: $(tail -n 20 "$folder/slurmctld.log")"
  # Until the node has told it that it is there, jobs wait.
  until_ready 60 is_up || die "slurmctld: $(tail -n 20 "$folder/slurmctld.log")"
}

case $1 in
start | stop | halt | resume) "$1" ;;
*) die "unknown command: $1" ;;
esac
