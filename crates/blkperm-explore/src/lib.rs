//! Bounded exhaustive search over QMP commands: every way in which a permission rule goes wrong.
//!
//! A [`Universe`] says which images, strangers, exports and jobs there may be. The search drives a
//! block layer directly, without JSON: from every state it tries every command, breadth first, and
//! tells states apart by a [packed form](Packed) in which interchangeable things are in order. What it
//! finds is put into classes, each with a shortest witness, which is a scenario that any QMP endpoint
//! can play. A search can be stopped, goes on from a [file](Search::save), and can be
//! [split](Search::run_shard) among machines level by level.

mod action;
mod check;
mod command;
mod file;
mod finding;
mod pack;
mod pair;
mod search;
mod shard;
mod stage;
mod store;
mod system;
mod universe;
mod witness;
mod worker;
mod wrong;

pub use action::{Action, Place, Verb};
pub use check::Trace;
pub use command::Act;
pub use file::{FileError, Subject, subject};
pub use finding::{Class, Finding, Outcome};
pub use pack::Packed;
pub use pair::Pair;
pub use search::{Ended, Limits, Part, Progress, Report, Search};
pub use shard::{Shard, ShardError};
pub use stage::{Kept, Stage, World};
pub use system::{Came, Found, Key, Single, System};
pub use universe::{Demanded, ImageSpec, JobKind, StrangerDemand, Universe, UniverseError};
pub use witness::scenario;
pub use wrong::{Memo, Remembered};
