//! Drives a real `qemu-storage-daemon`; records and replays what it answered.
//!
//! Nothing here knows a permission rule, and nothing takes longer than a deadline: a daemon that
//! hangs is killed and reported as an [`Error`].

mod connection;
mod daemon;
mod death;
mod error;
mod process;
mod programs;
mod recording;
mod settling;
mod template;

pub use daemon::Daemon;
pub use error::Error;
pub use programs::{Programs, Version};
pub use recording::{Recorded, Recording};
