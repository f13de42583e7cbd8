//! Which claims of one edge matter: those that no other covers.

use blkperm_graph::Claim;

/// Whether `demanding` makes `other` redundant on the same edge: same permission and side, owned by
/// nobody or by the same owner, and gone through no more.
///
/// Source: "What one edge holds", the ownership model.
pub fn covers(demanding: &Claim, other: &Claim) -> bool {
    demanding.slot == other.slot
        && (demanding.owner.is_none() || demanding.owner == other.owner)
        && demanding.through.iter().all(|&owner| other.went_through(owner))
}

/// The claims that nothing else covers, ascending and each once.
pub fn maximal(mut claims: Vec<Claim>) -> Box<[Claim]> {
    claims.sort_unstable();
    claims.dedup();
    let covered = |claim: &Claim| claims.iter().any(|other| other != claim && covers(other, claim));
    claims.iter().filter(|claim| !covered(claim)).cloned().collect()
}
