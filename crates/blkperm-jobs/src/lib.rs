//! QEMU's block jobs on the block graph, each written once and run under every rule.
//!
//! A [`BlockLayer`] is a graph with jobs. A job is an explicit state machine: it moves when it is
//! started, when it is asked for something, and in [`BlockLayer::run_jobs`]. How the steps are
//! judged with which it leaves the graph is the [`Completion`]. There is no JSON here, no clock, and
//! no text of QEMU's.

mod activity;
mod adopt;
mod backup;
mod blocker;
mod cluster;
mod commit;
mod content;
mod denied;
mod drain;
mod event;
mod exit;
pub mod filter;
mod group;
mod job;
mod layer;
mod mirror;
mod name;
mod part;
mod reopen;
mod resize;
mod run;
mod snapshot;
mod status;
mod stream;
mod verb;
mod work;

pub use adopt::{FoundJob, NotAJob};
pub use backup::{BackupOptions, BackupStart};
pub use blocker::{Blocker, Operation};
pub use commit::CommitOptions;
pub use denied::{Abort, Denied, Failure};
pub use drain::Drained;
pub use event::{Event, JobError, Progress};
pub use exit::Completion;
pub use job::{Job, JobOptions};
pub use layer::{BlockLayer, Relinked};
pub use mirror::{MirrorOptions, Sync};
pub use name::{MAX_NODE_NAME, NodeNames, is_wellformed};
pub use reopen::Heirs;
pub use snapshot::Snapshot;
pub use status::{Status, Verb};
pub use stream::{StreamEnd, StreamOptions};
