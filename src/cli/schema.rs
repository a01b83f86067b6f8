//! `labql schema`.

use super::CommandResult;
use crate::graphql::schema;

/// Prints the schema.
pub fn run() -> CommandResult {
    print!("{}", schema::sdl());
    Ok(())
}
