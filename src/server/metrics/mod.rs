//! What an operator watches: counters of what the server does, and what Prometheus reads.
//!
//! `counters` counts; `super::stats` reports those and the limits as lines. `families` and
//! `prometheus` turn the lines into Prometheus's text, for the command line too, and `endpoint` serves
//! that over HTTP, of which `request` knows what is needed.

pub(super) mod counters;
pub(super) mod endpoint;
mod families;
pub(crate) mod prometheus;
mod request;
