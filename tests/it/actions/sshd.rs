//! A private sshd on this machine.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use labql::experiments::actions::Ssh;

/// A private sshd.
pub struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// None where there is no sshd, after saying so.
    pub fn start() -> Option<Self> {
        let program = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            println!("skipped: there is no sshd");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let key = |name: &str| -> PathBuf {
            let path = folder.path().join(name);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&path)
                .status()
                .expect("ssh-keygen");
            assert!(made.success());
            path
        };
        let (host, user) = (key("host"), key("user"));
        let (stranger, port) = (key("stranger"), free_port());
        let public = |path: &Path| fs::read_to_string(path.with_extension("pub")).expect("a key");
        let write =
            |name: &str, text: String| fs::write(folder.path().join(name), text).expect("a file");
        write("authorized_keys", public(&user));
        write(
            "known_hosts",
            format!("[127.0.0.1]:{port} {}", public(&host)),
        );
        write(
            "wrong_hosts",
            format!("[127.0.0.1]:{port} {}", public(&stranger)),
        );
        write("no_hosts", String::new());
        write(
            "config",
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nPermitRootLogin yes\nAuthorizedKeysFile {}\n",
                host.display(),
                folder.path().join("authorized_keys").display()
            ),
        );
        // Where sshd of an administrator locks itself in.
        let _ = fs::create_dir_all("/run/sshd");
        let child = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(folder.path().join("config"))
            .stderr(Stdio::from(
                fs::File::create(folder.path().join("log")).expect("a file"),
            ))
            .spawn()
            .expect("sshd");
        let sshd = Self {
            child,
            folder,
            port,
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(30) {
                println!("skipped: sshd does not start: {}", sshd.log());
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sshd)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn ssh(&self, known_hosts: &str) -> Ssh {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
        Ssh {
            host: "127.0.0.1".into(),
            user: user.expect("an account").expect("an account").name,
            port: self.port,
            known_hosts: self.folder.path().join(known_hosts),
            identity: Some(self.folder.path().join("user")),
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
