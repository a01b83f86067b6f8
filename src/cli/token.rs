//! `labql token`.

use chrono::{TimeDelta, Utc};
use clap::Args;

use super::CommandResult;
use crate::auth::accounts;
use crate::auth::token::TokenKeys;
use crate::config::Config;

/// Issue a token for a user.
#[derive(Args)]
pub struct Token {
    /// For whom
    username: String,
    /// How long it is valid, such as `90m` or `30days`; without it as long as the configuration says
    #[arg(long, value_parser = humantime::parse_duration)]
    life: Option<std::time::Duration>,
}

impl Token {
    /// Prints the token, and on standard error when it ends.
    pub async fn run(self, config: Config) -> CommandResult {
        let database = super::open(&config).await?;
        let user = accounts::user_by_name(database.read(), &self.username).await?;
        let user = user
            .filter(|user| user.disabled_at.is_none())
            .ok_or_else(|| format!("there is no enabled user {}", self.username))?;
        let keys = TokenKeys::load(&config.auth, &config.data_dir)?;
        let life = self.life.map(TimeDelta::from_std).transpose()?;
        let (token, expires_at) = keys.issue(&user.username, Utc::now(), life)?;
        say!("{token}");
        eprintln!("valid until {}", expires_at.format("%Y-%m-%d %H:%M:%S UTC"));
        database.close().await;
        Ok(())
    }
}
