//! What the answers do not tell, and which builds of the graph follow from that.

use std::fmt;

bitflags::bitflags! {
    /// What may be so, though the answers do not tell it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Untold: u8 {
        /// Nodes with names were opened with their parents, and go with them, rather than added by
        /// themselves.
        const OPENED_WITH_PARENTS = 1 << 0;
        /// The nodes that jobs write were read-only before, and will be so again.
        const WAS_READ_ONLY = 1 << 1;
        /// Mirrors that are to be finalized were cancelled when they were ready, rather than
        /// completed.
        const WERE_CANCELLED = 1 << 2;
        /// The options of nodes demand what their parents demand, too.
        const HIDDEN_OPTIONS = 1 << 3;
        /// Nodes of unknown size are all of different ones, rather than of none, and those that may have
        /// been given one as an option were.
        const OTHER_SIZES = 1 << 4;
        /// Nodes are inactive of which it was not said whether they are.
        const ARE_INACTIVE = 1 << 5;
    }
}

/// Each with what it says after "if".
const WORDS: [(Untold, &str); 6] = [
    (Untold::OPENED_WITH_PARENTS, "nodes were opened with their parents, and go with them"),
    (Untold::WAS_READ_ONLY, "what a job writes was read-only before"),
    (Untold::WERE_CANCELLED, "a job that is to be finalized was cancelled"),
    (Untold::HIDDEN_OPTIONS, "a node's options demand what its parents demand, too"),
    (Untold::OTHER_SIZES, "nodes of unknown size differ in it, or were given it for good"),
    (Untold::ARE_INACTIVE, "nodes are inactive of which only the edges are known"),
];

/// Writes the condition, as it follows "if".
impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = WORDS.iter().filter(|(untold, _)| self.contains(*untold));
        let said: Vec<&str> = said.map(|(_, words)| *words).collect();
        f.write_str(&said.join(", and "))
    }
}

impl Untold {
    /// All sets of these, the smallest first, but for the empty one.
    pub(super) fn subsets(self) -> Vec<Untold> {
        let all = 1..=self.bits();
        let mut subsets: Vec<Untold> =
            all.filter_map(Untold::from_bits).filter(|subset| self.contains(*subset)).collect();
        subsets.sort_by_key(|subset| subset.bits().count_ones());
        subsets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_come_smallest_first_and_say_what_they_hold_alone() {
        let open = Untold::WAS_READ_ONLY | Untold::HIDDEN_OPTIONS;
        let expected = [Untold::WAS_READ_ONLY, Untold::HIDDEN_OPTIONS, open];
        assert_eq!(open.subsets(), expected);
        assert!(Untold::empty().subsets().is_empty());
        assert_eq!(
            open.to_string(),
            "what a job writes was read-only before, and a node's options demand what its parents \
             demand, too"
        );
    }

    #[test]
    fn all_that_is_untold_has_words() {
        for untold in Untold::all().iter() {
            assert!(!untold.to_string().is_empty(), "{untold:?}");
        }
    }
}
