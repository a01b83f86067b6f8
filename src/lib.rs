//! labql: one live GraphQL API over experiments, datasets, focal planes and flows.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::format_push_string,
        clippy::format_collect
    )
)]

pub mod auth;
pub mod background;
mod beneath;
pub mod cli;
pub mod config;
pub mod database;
pub mod datasets;
pub mod demo;
pub mod downloads;
pub mod engine;
pub mod entity;
pub mod events;
pub mod experiments;
pub mod failure;
mod files;
pub mod flows;
pub mod fplane_route;
pub mod fplanes;
pub mod graphql;
pub mod group_commit;
pub mod hooks;
pub mod http;
pub mod human_duration;
pub mod links;
pub mod narrow;
pub mod paging;
pub mod pattern;
pub mod server;
pub mod telemetry;
mod text;
pub mod time;
pub mod workers;
pub mod yaml;
