//! A site that runs flows: its settings, its people, and the templates that it has.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::caller::{Caller, id};
use super::draft::Draft;
use crate::support::{Address as _, Lab, Server};

/// The administrator of a site.
pub const ADMIN: &str = "root";

/// Goes away with its laboratory.
pub struct Site {
    pub lab: Lab,
    pub server: Server,
    tokens: HashMap<String, String>,
    mark: String,
}

impl Site {
    /// With an administrator and these people. Runs run.
    pub async fn open(lab: Lab, people: &[&str]) -> Self {
        let (lab, tokens, mark) = furnished(lab, people);
        let server = lab.serve().await;
        Self {
            lab,
            server,
            tokens,
            mark,
        }
    }

    /// As [`Self::open`], but nothing moves runs forward.
    pub async fn idle(mut lab: Lab, people: &[&str]) -> Self {
        lab.set("LABQL_WORKERS__ENABLED", "false");
        Self::open(lab, people).await
    }

    /// Kills the server without a word and starts it again. Runs run.
    pub async fn crashed(self) -> Self {
        let Self {
            lab,
            server,
            tokens,
            mark,
        } = self;
        server.kill().await;
        Self::served(lab, true, tokens, mark).await
    }

    /// Ends the server in order and starts it again; runs run, or nothing moves them forward.
    pub async fn restarted(self, works: bool) -> Self {
        let Self {
            lab,
            server,
            tokens,
            mark,
        } = self;
        assert!(server.stop().await);
        Self::served(lab, works, tokens, mark).await
    }

    async fn served(
        mut lab: Lab,
        works: bool,
        tokens: HashMap<String, String>,
        mark: String,
    ) -> Self {
        lab.set("LABQL_WORKERS__ENABLED", works.to_string());
        let server = lab.serve().await;
        Self {
            lab,
            server,
            tokens,
            mark,
        }
    }

    /// Somebody who uses the API.
    pub fn who(&self, name: &str) -> Caller {
        Caller {
            address: self.server.address(),
            token: Some(self.token(name).to_owned()),
        }
    }

    /// The administrator.
    pub fn admin(&self) -> Caller {
        self.who(ADMIN)
    }

    /// Somebody who does not say who they are.
    pub fn nobody(&self) -> Caller {
        Caller {
            address: self.server.address(),
            token: None,
        }
    }

    pub fn token(&self, name: &str) -> &str {
        &self.tokens[name]
    }

    /// What all steps have in their environment.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.lab.path(name)
    }

    /// The folder in which labql keeps what belongs to flows.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.lab.data().join("flows").join(name)
    }

    /// What is in a file that steps write, if it is there.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Opens the gate that steps wait at: see [`Self::gate`].
    pub fn open_gate(&self, name: &str) {
        fs::write(self.path(name), "").expect("a file");
    }

    /// A command that waits until [`Self::open_gate`].
    pub fn gate(&self, name: &str) -> String {
        let path = self.path(name);
        format!("until [ -e {} ]; do sleep 0.02; done", path.display())
    }

    /// Writes a template into the folder for templates.
    pub fn template(&self, folder: &str, draft: &Draft) -> PathBuf {
        let folder = templates(&self.lab).join(folder);
        draft.write(&folder);
        folder
    }

    /// Has the administrator register a template from a folder; gives the answer.
    pub async fn register(&self, folder: &Path) -> Value {
        let input = json!({ "source": { "folder": folder } });
        self.admin().tell("registerWorkflow", input).await
    }

    /// Has the administrator register a template, which must be right; gives the id of the version.
    pub async fn workflow(&self, draft: &Draft) -> String {
        // Several may be registered at the same time.
        let unique = format!("next-{}", uuid::Uuid::new_v4().simple());
        let folder = self.template(&unique, draft);
        let answer = self.register(&folder).await;
        assert_eq!(answer["errors"], json!([]), "{answer}");
        id(&answer["workflow"])
    }
}

/// The folder from which templates may be registered.
fn templates(lab: &Lab) -> PathBuf {
    lab.path("templates")
}

fn furnished(lab: Lab, people: &[&str]) -> (Lab, HashMap<String, String>, String) {
    lab.done(&["user", "add", ADMIN, "--admin", "--no-password"]);
    let mut tokens = HashMap::from([(ADMIN.to_owned(), lab.token(ADMIN))]);
    for name in people {
        lab.done(&["user", "add", name, "--no-password"]);
        tokens.insert((*name).to_owned(), lab.token(name));
    }
    let mark = format!("mark-{}", uuid::Uuid::new_v4().simple());
    fs::create_dir_all(templates(&lab)).expect("a folder");
    configure(&lab, &mark, &[templates(&lab)]);
    (lab, tokens, mark)
}

/// What the settings are unless a test says so otherwise in the environment.
fn configure(lab: &Lab, mark: &str, folders: &[PathBuf]) {
    let samples = super::cases::folder();
    let folders: Vec<&PathBuf> = folders.iter().chain(&samples).collect();
    let settings = format!(
        "[flows]\ntemplate_folders = {folders:?}\nenvironment = {{ TEST_MARK = {mark:?} }}\n\
         [flows.local]\nat_once = 4\n[flows.queue]\ngrace = \"1s\"\n\
         [flows.git]\nprotocols = \"file\"\n"
    );
    fs::write(lab.path("labql.toml"), settings).expect("a configuration");
}

/// Has runs run by Slurm unless they say otherwise.
pub fn use_slurm(lab: &mut Lab, conf: &Path) {
    lab.set("LABQL_FLOWS__EXECUTOR", "SLURM");
    lab.set("LABQL_FLOWS__SLURM__ENABLED", "true");
    lab.set("LABQL_FLOWS__SLURM__CONF", conf.display().to_string());
    lab.set("LABQL_FLOWS__SLURM__PACE", "200ms");
    lab.set("LABQL_FLOWS__SLURM__TIMEOUT", "20s");
    lab.set("LABQL_FLOWS__SLURM__LAG", "3s");
}

/// A text of each object of a list.
pub fn texts(list: &Value, name: &str) -> Vec<String> {
    let list = list.as_array().expect("a list");
    let text = |it: &Value| it[name].as_str().expect(name).to_owned();
    list.iter().map(text).collect()
}
