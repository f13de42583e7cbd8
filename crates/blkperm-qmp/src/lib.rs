//! QMP: from bytes to commands, the monitor that carries them out, and scenarios that are played.
//!
//! Replies, error classes and texts are those of QEMU 10.0's `qemu-storage-daemon`.

pub mod command;
mod error;
pub mod image;
pub mod json;
pub mod monitor;
pub mod play;
pub mod qapi;
pub mod scenario;
pub mod server;
pub mod transcript;

pub use command::{Command, Phase, Request};
pub use error::{CommandError, ErrorClass, QmpError};
pub use monitor::{Monitor, MonitorEndpoint};
