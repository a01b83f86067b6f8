//! Tests through labql's public faces: the command line, HTTP, WebSocket, and the library where a part stands alone.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]
// Pedantry that serves programs, not their tests.
#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::items_after_statements,
    clippy::needless_pass_by_value
)]

#[macro_use]
mod support;

mod actions;
mod actions_api;
mod auth;
mod autosubmit_api;
mod cli;
mod configuration;
mod contract;
mod credentials;
mod datasets;
mod demo;
mod downloads;
mod engine;
mod feed;
mod finding;
mod flows;
mod foreign_keys;
mod fplanes;
mod goldens;
mod graph;
mod limits;
mod logs;
mod mirror;
mod narrow;
mod paging;
mod performance;
mod plans;
mod readers;
mod reads;
mod reports;
mod rooms;
mod run_jobs;
mod serving;
mod statements;
mod timeouts;
mod tree;
mod validation;
mod workers;
