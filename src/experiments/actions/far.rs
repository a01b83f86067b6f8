//! Calling a program on another machine: `ssh` with a script for the far shell on its standard input. So nothing of it is
//! seen in a list of processes, here or there, and the account's own shell need not be one of POSIX.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use super::profile::{Environment, Profile, Ssh};

/// Printed far away before anything is done: without it nothing was.
const BEGUN: &str = "[labql: begun]";
/// Printed far away when the program was ended there because that was asked for: without it, it may go on.
const ENDED: &str = "[labql: ended]";
/// Asks the script to end the program.
pub(super) const STOP_WORD: &[u8] = b"end\n";

/// What the script does when it is asked to end the program: it ends the whole of its group, first kindly, and says so. It
/// has less time for it than `ssh` is given here. (Its own helpers get SIGKILL: one that was just forked may still have the
/// trap of its parent, and lose what comes.) The code is then ours: Bash knows none of what it was not let wait for.
const END: &[u8] = b"if [ -n \"$asked\" ]; then
trap : TERM; kill -s KILL $w
kill -s TERM -- -$p
{ sleep 4; kill -s KILL -- -$p; } >/dev/null & k=$!
wait $p; c=143
while kill -s 0 -- -$p; do sleep 1; done
kill -s KILL $k; wait $k
fi 2>/dev/null
";

/// Did the far machine say that it begins?
pub(super) fn has_begun(output: &str) -> bool {
    output.lines().any(|line| line.trim_end() == BEGUN)
}

/// Did the far machine say that the program was ended there?
pub(super) fn was_ended(output: &str) -> bool {
    output.lines().any(|line| line.trim_end() == ENDED)
}

/// The arguments of `ssh`.
pub(super) fn arguments(ssh: &Ssh) -> Vec<OsString> {
    let mut args: Vec<OsString> = [
        // Nothing but what stands here: no file of settings, no agent, no shared connection.
        "-F",
        "none",
        "-T",
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oGlobalKnownHostsFile=/dev/null",
        "-oUpdateHostKeys=no",
        "-oForwardAgent=no",
        "-oForwardX11=no",
        "-oClearAllForwardings=yes",
        "-oPermitLocalCommand=no",
        "-oControlPath=none",
        "-oIdentityAgent=none",
        "-oConnectTimeout=30",
        "-oServerAliveInterval=30",
        "-oServerAliveCountMax=4",
        "-oLogLevel=ERROR",
    ]
    .map(OsString::from)
    .into();
    let mut hosts = OsString::from("-oUserKnownHostsFile=");
    hosts.push(&ssh.known_hosts);
    args.push(hosts);
    if let Some(identity) = &ssh.identity {
        args.extend(["-oIdentitiesOnly=yes".into(), "-i".into(), identity.into()]);
    }
    args.extend(["-p".into(), ssh.port.to_string().into()]);
    args.extend(["-l".into(), OsString::from(&ssh.user)]);
    args.extend(["--", &ssh.host, "exec sh -s"].map(OsString::from));
    args
}

/// The script for a far shell. It is one compound command, so that of a script which a broken connection cut off nothing is
/// done.
///
/// The program gets a session of its own, and is ended there when [`STOP_WORD`] comes. When the connection breaks without
/// it, a command is ended, too. A program that stays lives on: its output goes into a file, which is followed as long as
/// there is a connection.
pub(super) fn script(
    profile: &Profile,
    command: &[OsString],
    stdin: &[u8],
    stays: bool,
) -> Vec<u8> {
    let mut script = b"{ labql() {\n".to_vec();
    for (name, value) in &profile.variables {
        script.extend(format!("{name}=").bytes());
        script.extend(quoted(value.expose().as_bytes()));
        script.extend(format!("; export {name}\n").bytes());
    }
    if let Environment::Venv(folder) = &profile.environment {
        script.extend(b"VIRTUAL_ENV=");
        script.extend(quoted(folder.as_os_str().as_bytes()));
        script.extend(b"; PATH=$VIRTUAL_ENV/bin:$PATH; export VIRTUAL_ENV PATH\n");
    }
    let mut words = Vec::new();
    for word in command {
        words.extend(quoted(word.as_bytes()));
        words.push(b' ');
    }
    script.extend(format!("echo '{BEGUN}'\nasked=; trap asked=1 TERM\n").bytes());
    if stays {
        script.extend(
            b"d=$(mktemp -d) || return 254\necho \"[labql: output in $d on $(hostname)]\"\n",
        );
        script.extend(b": >\"$d/output\"\nsetsid nohup ");
        script.extend(words);
        script.extend(b"</dev/null >\"$d/output\" 2>&1 3<&- & p=$!\n");
        script.extend(b"tail -n +1 -f --pid=$p \"$d/output\" 3<&- & t=$!\n");
    } else {
        script.extend(b"printf %s ");
        script.extend(quoted(stdin));
        script.extend(b" | setsid ");
        script.extend(words);
        script.extend(b"2>&1 3<&- & p=$!\n");
    }
    // Again and again: the shell does not hear it if it comes just before it begins to wait.
    // And who listens stays as long as the shell, so that its number is its own.
    script.extend(b"{ read -r word <&3");
    if stays {
        script.extend(b" || exec tail -f --pid=$$ /dev/null");
    }
    script.extend(b"; while kill -s TERM $$; do sleep 1; done; } >/dev/null 2>&1 & w=$!\n");
    script.extend(b"wait $p; c=$?\n");
    script.extend(END);
    script.extend(b"{ kill -s KILL $w; wait $w; } 2>/dev/null\n");
    if stays {
        script.extend(b"wait $t; rm -rf \"$d\"\n");
    }
    script.extend(format!("if [ -n \"$asked\" ]; then echo '{ENDED}'; fi\n").bytes());
    // 255 is how ssh tells of itself.
    script.extend(b"if [ $c -eq 255 ]; then c=254; fi\nreturn $c\n}\n");
    script.extend(b"labql 3<&0 </dev/null; exit; }\n");
    script
}

/// An argument for a POSIX shell: nothing in it means anything.
fn quoted(argument: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in argument {
        match byte {
            b'\'' => quoted.extend(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}
