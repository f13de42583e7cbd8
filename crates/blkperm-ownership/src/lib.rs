//! The experimental permission rules: claims that know their owner and the filters that they went
//! through.
//!
//! Both rules are one engine, [`Claimed`], and differ in when a claim that unshares does not hurt
//! a claim that takes: see [`ByOwnership`] and [`ByGroup`]. The model and its laws are in
//! `docs/ownership.md`.

mod antichain;
mod engine;
mod excuse;

pub use antichain::{covers, maximal};
pub use engine::{Claimed, Hold};
pub use excuse::{ByGroup, ByOwnership, Excuse};

/// The proposal: only the node that broke a permission may restore it.
pub type Ownership = Claimed<ByOwnership>;

/// The thread's first idea, carried across nodes: members of a group do not block each other.
pub type Groups = Claimed<ByGroup>;
