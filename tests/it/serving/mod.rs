//! The serving layer over real sockets, around a small schema whose fields panic, wait and flood.

#![allow(clippy::unused_async, reason = "resolvers are async")]

mod dummy;
mod errors;
mod events;
mod limits;
mod over_http;
mod pages;
mod precheck;
mod shutdown;
mod sockets;
