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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByGroup, ByOwnership, Excuse};
    use blkperm_graph::{Owner, Slot};

    /// Every claim of one slot over three owners: four times eight.
    fn every_claim(slot: Slot) -> Vec<Claim> {
        let owners: Vec<Owner> = (1..=3).map(Owner::from_number).collect();
        let owner = [None, Some(owners[0]), Some(owners[1]), Some(owners[2])];
        let through = |set: usize| {
            owners.iter().enumerate().filter(move |(i, _)| set >> i & 1 == 1).map(|(_, o)| *o)
        };
        let of = |owner| (0..8).map(move |set| (owner, set));
        owner
            .into_iter()
            .flat_map(of)
            .map(|(owner, set)| Claim { slot, owner, through: through(set).collect() })
            .collect()
    }

    fn slots() -> (Slot, Slot) {
        let mut slots = Slot::each();
        let take = slots.next().expect("there are slots");
        let unshare = slots.find(|slot| !slot.is_take()).expect("there are unshares");
        (take, unshare)
    }

    #[test]
    fn covering_is_a_partial_order() {
        let claims = every_claim(slots().0);
        for a in &claims {
            assert!(covers(a, a));
            for b in &claims {
                assert!(!(covers(a, b) && covers(b, a)) || a == b, "{a:?} {b:?}");
                for c in &claims {
                    assert!(!(covers(a, b) && covers(b, c)) || covers(a, c), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }

    /// What makes it enough to look at the claims that nothing covers: whatever excuses the more
    /// demanding claim excuses the other. An owned claim has always gone through its owner.
    fn excuses_respect_covering<E: Excuse>() {
        let (take, unshare) = slots();
        let real = |claim: &Claim| claim.owner.is_none_or(|owner| claim.went_through(owner));
        let takes: Vec<Claim> = every_claim(take).into_iter().filter(real).collect();
        let unshares: Vec<Claim> = every_claim(unshare).into_iter().filter(real).collect();
        for demanding in &takes {
            for other in takes.iter().filter(|other| covers(demanding, other)) {
                for unshare in &unshares {
                    if E::excused(demanding, unshare) {
                        assert!(E::excused(other, unshare), "{demanding:?} {other:?} {unshare:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_excuses_a_claim_excuses_all_that_it_covers() {
        excuses_respect_covering::<ByOwnership>();
        excuses_respect_covering::<ByGroup>();
    }
}
