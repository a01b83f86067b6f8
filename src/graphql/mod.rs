//! The API. Resolvers are thin: they call a function of a domain and map its result.

pub mod accounts;
pub mod answer;
mod connection;
pub mod context;
pub mod cost;
pub mod document;
pub mod engine;
pub mod error;
mod events;
pub mod experiments;
mod id;
mod inputs;
mod level;
mod lexer;
pub mod limits;
pub mod live;
mod loaders;
mod node;
mod number;
mod observe;
pub mod precheck;
pub mod request;
pub mod schema;
mod shape;
mod size;
mod user_error;
pub mod workers;
