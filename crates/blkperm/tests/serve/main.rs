//! `blkperm serve`, from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod clients;
mod ends;
mod process;
mod python;
mod refusals;
mod sessions;
