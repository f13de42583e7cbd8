//! QEMU's block graph and its permission update, generic over the permission rule.
//!
//! A [`Graph`] has nodes, edges, and parents that are not nodes. Every edge takes permissions on
//! its child and unshares permissions from the child's other parents; what a node demands of its
//! children follows from what is demanded of it, by its driver's [`Row`]s. A [`Change`] is judged
//! once, in its final state, by the graph's [`Rule`].
//!
//! There is no JSON here, no I/O, no clock and no text of QEMU's.
//!
//! # Example
//!
//! A guest reads a disk; somebody else then wants nobody to rely on what is there:
//!
//! ```
//! use blkperm_baseline::Baseline;
//! use blkperm_graph::{Demand, Graph, Holder, NewNode, Permissions, driver::NULL_CO};
//!
//! let mut graph = Graph::new(Baseline);
//! let disk = graph.add_node(NewNode::new("disk", &NULL_CO));
//! let mut root = |purpose: &str| graph.add_root(Holder::Backend { purpose: purpose.into() }, None);
//! let (guest, stranger) = (root("the guest"), root("the stranger"));
//! let reading = Demand::taking(Permissions::CONSISTENT_READ);
//! graph.transact(|change| change.attach_root(guest, disk, "root", reading))?;
//!
//! let breaking = Demand::unsharing(Permissions::CONSISTENT_READ);
//! let refused = graph.transact(|change| change.attach_root(stranger, disk, "root", breaking));
//! assert_eq!(
//!     refused.unwrap_err().to_string(),
//!     "consistent-read on node 'disk': taken by the guest and unshared by the stranger"
//! );
//! assert_eq!(graph.demand_on(disk), reading);
//! # Ok::<(), blkperm_graph::Refusal>(())
//! ```
//!
//! A refusal is data: it names every pair of edges at fault, and for each edge the way on which it
//! came by what it demands:
//!
//! ```
//! use blkperm_baseline::Baseline;
//! use blkperm_graph::driver::{FILE, QCOW2};
//! use blkperm_graph::{Demand, Fault, Graph, Holder, NewNode, Permissions, Reason, Refusal, Role};
//!
//! let mut graph = Graph::new(Baseline);
//! let file = graph.add_node(NewNode::new("file", &FILE));
//! let image = graph.add_node(NewNode::new("image", &QCOW2));
//! graph.transact(|change| change.attach(image, file, "file", Role::IMAGE))?;
//!
//! let export = graph.add_root(Holder::Backend { purpose: "export 'e0'".into() }, None);
//! let writing = Demand::taking(Permissions::WRITE);
//! let refused = graph.transact(|change| {
//!     change.attach_root(export, file, "root", writing)
//! });
//! let Err(Refusal::Permissions(faults)) = refused else { panic!("accepted") };
//! let Fault::Conflict(conflict) = &faults[0] else { panic!("not a conflict") };
//! assert_eq!(conflict.requirer.parent.to_string(), "export 'e0'");
//! assert_eq!(conflict.unsharer.parent.to_string(), "node 'image'");
//! assert_eq!(conflict.unsharer.why[0].reason, Reason::Driver);
//! # Ok::<(), Refusal>(())
//! ```

mod chain;
mod change;
mod check;
pub mod driver;
mod graph;
mod incoming;
mod list;
mod lock;
mod log;
mod order;
mod permission;
mod refusal;
mod role;
mod row;
mod rule;
mod snapshot;
mod update;
mod why;

pub use change::Change;
pub use driver::{Condition, Driver, State};
pub use graph::{EdgeId, Graph, Holder, NewNode, NodeId, Parent, RootId};
pub use permission::{Demand, Permissions, Slot};
pub use refusal::{Conflict, Fault, MOST_FAULTS, ParentName, Party, Refusal, Refused};
pub use role::Role;
pub use row::{Row, RowId, Rows};
pub use rule::{Claim, Counts, Owner, Rule};
pub use snapshot::Snapshot;
pub use why::{Reason, Step};
