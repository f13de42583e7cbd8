//! Explains the block graph of a running QEMU: who holds what, why, what would happen, and what to
//! do about it.
//!
//! [`Replies`] are what QEMU answered to a few queries, from files or from a monitor that is asked
//! ([`ask`](fn@ask)). A [`Survey`] makes sense of them: drivers, roles, jobs, exports, devices, and
//! which edges the rules of QEMU 10.0 do not explain. From it a
//! [`Monitor`](blkperm_qmp::Monitor) is built under any rule, so that what is asked about the graph
//! is answered by the code that carries out commands everywhere else.

mod ask;
mod import;
mod obstacle;
mod prose;
mod release;
mod replies;
mod shorthand;
mod trial;
mod who;

pub use ask::{Address, AskError, ask, gather};
pub use import::{Built, Doubt, ImportError, Noted, Survey, Unexplained, Untold};
pub use prose::{deed, derivation, sides};
pub use release::{Action, Proposal, Proposals, Surety, proposals};
pub use replies::{Replies, ReplyError};
pub use shorthand::{CommandSyntaxError, parse_command};
pub use trial::{Ending, Fate, Tried, Untried, Way, endings, foresee, run_new_jobs};
pub use who::{Held, edge_called, holder, who};
