//! Bounded exhaustive search over QMP commands: every way in which a permission rule goes wrong.
//!
//! A [`Universe`] says which images, strangers, exports and jobs there may be. The search drives a
//! block layer directly, without JSON: from every state it tries every command, breadth first, and
//! tells states apart by a [packed form](Packed) in which interchangeable things are in order. What
//! goes wrong is put into classes, each with a shortest witness, which is a scenario that any QMP
//! endpoint can play.

mod action;
mod check;
mod finding;
mod pack;
mod search;
mod stage;
mod universe;
mod witness;

pub use action::{Action, Place, Verb};
pub use finding::{Class, Finding, Outcome};
pub use pack::Packed;
pub use search::{Limits, Progress, Report, Search};
pub use stage::{Act, Stage, World};
pub use universe::{Demanded, ImageSpec, JobKind, Universe, UniverseError};
pub use witness::scenario;
