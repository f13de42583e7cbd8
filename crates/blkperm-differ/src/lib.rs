//! Random QMP scripts from a seed, played to two endpoints, and the smallest on which they differ.
//!
//! [`generate`](fn@generate) writes a [`Script`] command by command, each chosen after a look at
//! what an endpoint shows of the graph that the commands before it have made. A [`Contest`] plays it
//! to two endpoints and says where they differ, [`shrink`](fn@shrink) finds a minimal script that
//! still does, and [`hunt`](fn@hunt) does all that for many scripts at once.

#[cfg(test)]
mod aim;
mod contest;
mod dice;
mod generate;
mod hunt;
mod oddity;
mod recipe;
mod rename;
mod scene;
mod script;
mod shrink;
mod world;

pub use contest::{Contest, Finding, MakeEndpoint, Outcome, Scope};
pub use generate::{Plan, generate};
pub use hunt::{Counts, Found, Hunt, Progress, Tally, Verdict, hunt};
pub use script::Script;
pub use shrink::shrink;
