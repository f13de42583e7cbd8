//! When two claims of the same permission, one taken and one unshared, do not conflict.

use std::fmt::Debug;

use blkperm_graph::Claim;

/// What tells the two experimental rules apart.
///
/// An excuse never grows with a more demanding claim: what excuses `(o', T')` excuses every `(o, T)`
/// that it [covers](crate::covers) too, so that looking at the most demanding claims is enough.
pub trait Excuse: Clone + Default + Debug {
    /// Whether `a` and `b`, on two different edges into one node, are excused from each other.
    fn excused(a: &Claim, b: &Claim) -> bool;
}

/// Two claims are excused when the owner of one is among those that the other went through.
///
/// Source: "The conflict rule", the ownership model.
#[derive(Clone, Copy, Default, Debug)]
pub struct ByOwnership;

impl Excuse for ByOwnership {
    fn excused(a: &Claim, b: &Claim) -> bool {
        let owned_above = |owned: &Claim, other: &Claim| {
            owned.owner.is_some_and(|owner| other.went_through(owner))
        };
        owned_above(a, b) || owned_above(b, a)
    }
}

/// Two claims are excused when they have a group in common: that of its owner and those of all
/// owners that it went through are a claim's groups.
///
/// Source: "What is compared", the ownership model.
#[derive(Clone, Copy, Default, Debug)]
pub struct ByGroup;

impl Excuse for ByGroup {
    fn excused(a: &Claim, b: &Claim) -> bool {
        // An owned claim has gone through its owner, so that `through` holds all of its groups.
        a.through.iter().any(|&owner| b.went_through(owner))
    }
}
