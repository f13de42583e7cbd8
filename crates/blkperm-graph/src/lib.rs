//! QEMU's block graph and its permission update, generic over the permission rule.
//!
//! A [`Graph`] has nodes, edges, and parents that are not nodes. Every edge takes permissions on
//! its child and unshares permissions from the child's other parents; what a node demands of its
//! children follows from what is demanded of it, by its driver's [`Row`]s. A [`Change`] is judged
//! once, in its final state, by the graph's [`Rule`].
//!
//! There is no JSON here, no I/O, no clock and no text of QEMU's.

mod chain;
mod change;
mod check;
pub mod driver;
mod graph;
mod order;
mod permission;
mod refusal;
mod role;
mod row;
mod rule;
mod update;
mod why;

pub use change::Change;
pub use driver::{Condition, Driver, State};
pub use graph::{EdgeId, Graph, Holder, NewNode, NodeId, Parent, RootId};
pub use permission::{Demand, Permissions, Slot};
pub use refusal::{Conflict, Fault, ParentName, Party, Refusal, Refused};
pub use role::Role;
pub use row::{Row, RowId, Rows};
pub use rule::{Claim, Counts, Owner, Rule};
pub use why::{Reason, Step};
