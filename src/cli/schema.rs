//! `labql schema`.

use crate::graphql::schema;

/// Prints the schema.
pub fn run() {
    print!("{}", schema::sdl());
}
