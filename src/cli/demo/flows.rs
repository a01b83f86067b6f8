//! The workflows of the laboratory, registered, and runs of them, started as people would have. The server runs them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ACTOR;
use crate::auth::accounts::{self, NewUser};
use crate::auth::viewer::ViewerUser;
use crate::demo::flows::story::{self, Run, Scene};
use crate::demo::flows::{COUNT_WORDS, SIMULATE, SKY_HISTOGRAM, TEXTS};
use crate::entity::{flow_group, workflow};
use crate::failure::{Failure, RejectionCode};
use crate::flows::Flows;
use crate::flows::arguments::Argument;
use crate::flows::read::groups::{self, GroupFilter};
use crate::flows::read::runs::{self, RunFilter};
use crate::flows::read::workflows;
use crate::flows::rights::{Asker, Role};
use crate::flows::sources::Source;
use crate::flows::state::RunState;
use crate::flows::template::Choices;
use crate::flows::write::groups::NewGroup;
use crate::flows::write::start::{self, NewRun, StartError};
use crate::flows::write::workflows::WorkflowUpdate;
use crate::flows::write::{Author, cancel, register, uploads};
use crate::narrow::Columns;
use crate::paging::Page;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Who loads: sees all.
const ALL: Asker = Asker::Administrator;

/// The folder with the workflows, and the user who has made the demo.
pub(super) struct Flowing<'a> {
    pub flows: &'a Flows,
    pub folder: PathBuf,
    pub user: &'a str,
}

impl Flowing<'_> {
    /// Registers the workflows and starts the runs, unless that was done before; tells how many runs there are.
    pub async fn load(&self) -> Result<i64, Failed> {
        for (username, display_name) in story::PEOPLE {
            self.meet(username, display_name).await?;
        }
        for name in [COUNT_WORDS, SKY_HISTOGRAM, SIMULATE] {
            self.register(name).await?;
        }
        for scene in story::scenes() {
            self.play(&scene).await?;
        }
        Ok(runs::count(&self.flows.database, ALL, &RunFilter::default()).await?)
    }

    /// Starts something that takes minutes, unless something of its group is open.
    pub async fn keep_running(&self) -> Result<(), Failed> {
        let workflow = self.workflow(SIMULATE).await?;
        let Some(group) = self.group(&workflow, story::OSCILLATORS).await? else {
            return Ok(());
        };
        let open = RunFilter {
            groups: vec![group],
            states: vec![RunState::Pending, RunState::Running, RunState::Canceling],
            ..RunFilter::default()
        };
        if runs::count(&self.flows.database, ALL, &open).await? == 0 {
            self.start(&workflow, group, &story::long_run()).await?;
        }
        Ok(())
    }

    async fn meet(&self, username: &str, display_name: &str) -> Result<(), Failed> {
        let database = &self.flows.database;
        if accounts::user_by_name(database.read(), username)
            .await?
            .is_none()
        {
            let new = NewUser {
                username: username.to_owned(),
                display_name: Some(display_name.to_owned()),
                ..NewUser::default()
            };
            accounts::create_user(database, ACTOR, new).await?;
        }
        Ok(())
    }

    async fn register(&self, name: &str) -> Result<(), Failed> {
        let source = Source::Folder(self.folder.join(name).canonicalize()?);
        let author = Author::Labql(ACTOR);
        let registered =
            register::register(self.flows, &author, &source, &Choices::default()).await?;
        let Some(done) = registered.done else {
            let problems = registered.problems.iter();
            let problems: Vec<String> = problems.map(ToString::to_string).collect();
            return Err(problems.join("\n").into());
        };
        // One at a time, so that visitors see one that waits.
        if name == SIMULATE && done.is_new {
            let change = WorkflowUpdate {
                most_running: Some(Some(1)),
                ..WorkflowUpdate::default()
            };
            let id = done.workflow.id;
            crate::flows::write::workflows::update(self.flows, &author, id, &change).await?;
        }
        Ok(())
    }

    /// Makes a group and has it start its runs, unless it has some.
    async fn play(&self, scene: &Scene) -> Result<(), Failed> {
        let workflow = self.workflow(scene.workflow).await?;
        let group = match self.group(&workflow, scene.group).await? {
            Some(group) => group,
            None => self.found(&workflow, scene).await?.id,
        };
        let of_group = RunFilter {
            groups: vec![group],
            ..RunFilter::default()
        };
        if runs::count(&self.flows.database, ALL, &of_group).await? > 0 {
            return Ok(());
        }
        for run in &scene.runs {
            self.start(&workflow, group, run).await?;
        }
        Ok(())
    }

    async fn found(
        &self,
        workflow: &workflow::Model,
        scene: &Scene,
    ) -> Result<flow_group::Model, Failed> {
        let member = |(name, role): &(&str, &str)| {
            let role = Role::from_name(role).ok_or_else(|| format!("{role} is no role"))?;
            Ok::<_, String>(((*name).to_owned(), role))
        };
        let members: Vec<(String, Role)> =
            scene.members.iter().map(member).collect::<Result<_, _>>()?;
        let new = NewGroup {
            workflow: workflow.id,
            name: scene.group,
            members: &members,
            parameters: scene.parameters.as_ref(),
            idempotency_key: None,
        };
        let owner = self.viewer(scene.owner).await?;
        Ok(crate::flows::write::groups::create(self.flows, &owner, &new).await?)
    }

    /// Starts a run, with the text that it needs.
    async fn start(&self, workflow: &workflow::Model, group: i64, run: &Run) -> Result<(), Failed> {
        let user = self.viewer(run.starter).await?;
        let given = run.arguments.as_object().into_iter().flatten();
        let argument = |(name, value): (&String, &Value)| Argument {
            name: name.clone(),
            value: value.clone(),
        };
        let mut arguments: Vec<Argument> = given.map(argument).collect();
        if let Some((parameter, text)) = run.text {
            arguments.push(Argument {
                name: parameter.to_owned(),
                value: self.bring(&user, group, text).await?.into(),
            });
        }
        let new = NewRun {
            version: self.newest(workflow).await?,
            group: Some(group),
            arguments: &arguments,
            executor: None,
            priority: None,
            timeout_seconds: None,
            retry_limit: None,
            idempotency_key: None,
        };
        let started = start::start(self.flows, &user, &new).await;
        let started = started.map_err(|error| match error {
            StartError::Failed(failure) => failure,
            StartError::Arguments(problems) => {
                let problems = problems.iter().map(|it| it.message.as_str());
                let problems: Vec<&str> = problems.collect();
                Failure::rejected(RejectionCode::BadInput, None, problems.join("; "))
            }
        })?;
        if run.is_canceled {
            let reason = Some("it was started by mistake");
            cancel::cancel(self.flows, &user, started.id, reason).await?;
        }
        Ok(())
    }

    /// Brings a text to a group; gives its key.
    async fn bring(&self, user: &ViewerUser, group: i64, text: &str) -> Result<String, Failed> {
        let bytes = read(&self.folder.join(TEXTS).join(text)).await?;
        let size = u64::try_from(bytes.len())?;
        let media_type = Some("text/plain; charset=utf-8");
        let incoming = uploads::begin(self.flows, user, Some(group), text, media_type, Some(size));
        let mut incoming = incoming.await?;
        incoming.write(&bytes).await?;
        Ok(incoming.finish().await?.key)
    }

    async fn workflow(&self, name: &str) -> Result<workflow::Model, Failed> {
        let found = workflows::by_name(&self.flows.database, name).await?;
        let found = found.ok_or_else(|| format!("{name} is not registered"))?;
        Ok(workflow::Model::clone(&found))
    }

    async fn newest(&self, workflow: &workflow::Model) -> Result<i64, Failed> {
        let (database, ids) = (&self.flows.database, [workflow.id]);
        let columns = Columns::of(&[]);
        let mut found = crate::flows::read::versions::latest(database, &ids, columns).await?;
        let version = found.remove(&workflow.id);
        Ok(version.ok_or("a workflow has no version")?.id)
    }

    /// The group of a name in a workflow, if it is there.
    async fn group(&self, workflow: &workflow::Model, name: &str) -> Result<Option<i64>, Failed> {
        let filter = GroupFilter {
            workflow: Some(workflow.id),
            ..GroupFilter::default()
        };
        let (database, page) = (&self.flows.database, Page::only(1_000));
        let found = groups::page(database, ALL, &filter, Columns::all(), &page).await?;
        let group = found.rows.iter().find(|group| group.name == name);
        Ok(group.map(|group| group.id))
    }

    /// Somebody as the server knows them; none: the demo's user.
    async fn viewer(&self, username: Option<&str>) -> Result<ViewerUser, Failed> {
        let username = username.unwrap_or(self.user);
        let user = accounts::user_by_name(self.flows.database.read(), username).await?;
        let user = user.ok_or_else(|| format!("there is no user {username}"))?;
        Ok(ViewerUser {
            id: Some(user.id),
            username: user.username,
            is_admin: user.is_admin,
        })
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    let read = tokio::fs::read(path).await;
    read.map_err(|error| format!("{}: {error}", path.display()).into())
}
