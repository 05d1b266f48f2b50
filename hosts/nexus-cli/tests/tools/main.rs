//! The tools as a user runs them, beside a stand-in for the daemon.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

mod conversation;
mod doctor;
mod fake_node;
mod installation;
mod real_node;
mod routing;
mod screen;
mod status;
