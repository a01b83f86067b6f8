//! The ways to call Autosubmit, as far as users may know them.

use async_graphql::{ComplexObject, Context, Enum, Result, SimpleObject};

use super::types::ActionKind;
use crate::entity::action_right;
use crate::experiments::actions::{self, Environment, Place, rights};
use crate::graphql::context::{ContextExt, failed};

/// Where Autosubmit is called.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ActionPlace {
    /// On the machine of the server.
    Local,
    /// On another machine.
    Ssh,
}

/// What is prepared before Autosubmit is called.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ActionEnvironment {
    /// Nothing.
    None,
    /// A conda environment.
    Conda,
    /// A virtual environment of Python.
    Venv,
    /// Environment modules.
    Modules,
}

/// A way to call Autosubmit. An administrator configures it; whoever asks for an action can only name it.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ActionProfile {
    /// Its name.
    name: String,
    /// Where Autosubmit is called.
    place: ActionPlace,
    /// What is prepared before.
    environment: ActionEnvironment,
    /// What is enabled on this server and you have some right to; `viewer.actionRights` tells on which experiments.
    kinds: Vec<ActionKind>,
}

impl ActionProfile {
    /// Those that the viewer may use; all of them for an administrator.
    pub async fn all(ctx: &Context<'_>) -> Result<Vec<Self>> {
        let user = ctx.signed_in()?;
        let services = ctx.services()?;
        let rights = match user.id {
            Some(id) => rights::of_users(&services.database, &[id])
                .await
                .map_err(failed)?,
            None => Vec::new(),
        };
        let config = services.actions.config();
        let has =
            |right: &action_right::Model, kind: &actions::ActionKind| right.kind == kind.as_str();
        let kinds: Vec<ActionKind> = actions::ActionKind::ALL
            .into_iter()
            .filter(|kind| config.enabled.contains(kind))
            .filter(|kind| rights.iter().any(|right| has(right, kind)))
            .map(Into::into)
            .collect();
        let usable = |(_, profile): &(&String, &actions::Profile)| {
            user.is_admin || profile.allows(&user.username)
        };
        let shown = |(name, profile): (&String, &actions::Profile)| Self {
            name: name.clone(),
            place: match profile.place {
                Place::Local => ActionPlace::Local,
                Place::Ssh(_) => ActionPlace::Ssh,
            },
            environment: match profile.environment {
                Environment::None => ActionEnvironment::None,
                Environment::Conda(_) => ActionEnvironment::Conda,
                Environment::Venv(_) => ActionEnvironment::Venv,
                Environment::Modules(_) => ActionEnvironment::Modules,
            },
            // An administrator sees profiles that are not theirs to use.
            kinds: if profile.allows(&user.username) {
                kinds.clone()
            } else {
                Vec::new()
            },
        };
        Ok(config.profiles.iter().filter(usable).map(shown).collect())
    }
}

#[ComplexObject]
impl ActionProfile {
    /// The version of Autosubmit there, such as `4.1.15`, as it says itself; asked at most every ten minutes, and that may
    /// take seconds. Null: it did not say, or there is no kind of action that you may ask for with this profile: then nothing is
    /// called.
    async fn autosubmit_version(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        if self.kinds.is_empty() {
            return Ok(None);
        }
        Ok(ctx.services()?.actions.version(&self.name).await)
    }

    /// The public key that the server shows the other machine, to be put into `authorized_keys` there; null: none is
    /// configured.
    async fn public_key(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(ctx.services()?.actions.public_key(&self.name).await)
    }
}
