//! `labql config`.

use super::CommandResult;
use crate::config::Config;

/// Prints the effective configuration as TOML.
pub fn run(config: &Config) -> CommandResult {
    print!("{}", toml::to_string_pretty(config)?);
    Ok(())
}
