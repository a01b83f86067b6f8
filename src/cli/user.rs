//! `labql user`.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};

use super::{COMMAND_LINE, CommandResult};
use crate::auth::accounts::{self, NewUser};
use crate::config::{Config, Secret};
use crate::datasets::write::base_uris;
use crate::experiments::actions::ActionKind;
use crate::experiments::actions::rights::{self, Right};

/// Add, list, disable users; set passwords and grants.
#[derive(Args)]
pub struct User {
    #[command(subcommand)]
    action: Action,
}

/// What `allow` and `deny` take.
const KINDS: &str = "RUN, STOP, CREATE, CREATE_JOB_LIST, SET_STATUS or DESCRIBE";

#[derive(Subcommand)]
enum Action {
    /// Add a user; the password is asked for, or read from standard input when that is no terminal
    Add {
        /// The name to log in with
        username: String,
        /// May manage users
        #[arg(long)]
        admin: bool,
        /// The name to show
        #[arg(long)]
        display_name: Option<String>,
        /// The e-mail address
        #[arg(long)]
        email: Option<String>,
        /// Without a password: for API keys and other issuers' tokens only
        #[arg(long)]
        no_password: bool,
    },
    /// List the users
    List,
    /// Set a new password, asked for or read from standard input
    Password {
        /// Whose
        username: String,
    },
    /// Lock a user out: password, tokens and API keys are refused
    Disable {
        /// Whom
        username: String,
    },
    /// Let a user in again
    Enable {
        /// Whom
        username: String,
    },
    /// Let a user have Autosubmit do something; nothing is implied by being an administrator
    Allow {
        /// Whom
        username: String,
        /// What
        #[arg(value_parser = kind, help = KINDS)]
        kind: ActionKind,
        /// On experiments whose expids match this pattern, such as `a*`; without it on the user's own
        #[arg(long, value_name = "PATTERN")]
        experiments: Option<String>,
    },
    /// Take away what `allow` gave, with the same pattern
    Deny {
        /// Whom
        username: String,
        /// What
        #[arg(value_parser = kind, help = KINDS)]
        kind: ActionKind,
        /// The pattern as it was given; without it the right to the user's own experiments
        #[arg(long, value_name = "PATTERN")]
        experiments: Option<String>,
    },
    /// Set what a user may do with the datasets below a base URI; neither flag: take the grant away. A base URI that is new
    /// is registered
    Grant {
        /// Whom
        username: String,
        /// Such as <s3://bucket>
        base_uri: String,
        /// May find and read
        #[arg(long)]
        search: bool,
        /// May register
        #[arg(long)]
        register: bool,
    },
}

impl User {
    /// Does what is asked.
    pub async fn run(self, config: Config) -> CommandResult {
        let database = super::open(&config).await?;
        match self.action {
            Action::Add {
                username,
                admin,
                display_name,
                email,
                no_password,
            } => {
                let password = if no_password {
                    None
                } else {
                    Some(read_password()?)
                };
                let new = NewUser {
                    username,
                    password,
                    display_name,
                    email,
                    is_admin: admin,
                    idempotency_key: None,
                };
                let user = accounts::create_user(&database, COMMAND_LINE, new).await?;
                say!("added {}", user.username);
            }
            Action::List => {
                for user in accounts::users(&database).await? {
                    let admin = if user.is_admin { "admin" } else { "user" };
                    let state = if user.disabled_at.is_some() {
                        "disabled"
                    } else {
                        "enabled"
                    };
                    say!("{}\t{admin}\t{state}", user.username);
                }
            }
            Action::Password { username } => {
                accounts::set_password(&database, COMMAND_LINE, &username, &read_password()?)
                    .await?;
                say!("set the password of {username}");
            }
            Action::Disable { username } => {
                accounts::set_disabled(&database, COMMAND_LINE, &username, true).await?;
                say!("disabled {username}");
            }
            Action::Enable { username } => {
                accounts::set_disabled(&database, COMMAND_LINE, &username, false).await?;
                say!("enabled {username}");
            }
            Action::Allow {
                username,
                kind,
                experiments,
            } => {
                let right = Right { kind, experiments };
                rights::grant(&database, COMMAND_LINE, &username, &right).await?;
                say!("{username} may {}", told(&right));
            }
            Action::Deny {
                username,
                kind,
                experiments,
            } => {
                let right = Right { kind, experiments };
                rights::revoke(&database, COMMAND_LINE, &username, &right).await?;
                say!("{username} may not {}", told(&right));
            }
            Action::Grant {
                username,
                base_uri,
                search,
                register,
            } => {
                if search || register {
                    base_uris::register(&database, &base_uri).await?;
                }
                accounts::set_grant(
                    &database,
                    COMMAND_LINE,
                    &username,
                    &base_uri,
                    search,
                    register,
                )
                .await?;
                say!("set the grant of {username} on {base_uri}");
            }
        }
        database.close().await;
        Ok(())
    }
}

/// The kind of action that an argument names.
fn kind(name: &str) -> Result<ActionKind, String> {
    ActionKind::from_name(name).ok_or_else(|| {
        let known = ActionKind::ALL.map(ActionKind::as_str);
        format!("one of {}", known.join(", "))
    })
}

/// A right in words.
fn told(right: &Right) -> String {
    let kind = right.kind.as_str();
    match &right.experiments {
        Some(pattern) => format!("{kind} the experiments {pattern}"),
        None if right.kind == ActionKind::Create => kind.to_owned(),
        None => format!("{kind} their own experiments"),
    }
}

/// Asks on a terminal without echo, twice; elsewhere reads one line from standard input. A password never stands in
/// the arguments, where every user of the machine could read it.
fn read_password() -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Again: ")? != password {
            return Err("the two passwords differ".into());
        }
        return Ok(password.into());
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(4096)
        .read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned().into())
}
