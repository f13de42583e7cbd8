//! How a quorum is opened: several children with the same data.

use blkperm_graph::{Role, Rule};

use super::Opening;
use crate::command::blockdev::{BlockdevOptionsQuorum, BlockdevRef, QuorumReadPattern};
use crate::monitor::{Failed, Monitor};

/// Whether the quorum writes anew what is outvoted, which it finds out only where it votes.
pub(super) fn rewrites(options: &BlockdevOptionsQuorum) -> bool {
    options.rewrite_corrupted == Some(true) && votes(options)
}

fn votes(options: &BlockdevOptionsQuorum) -> bool {
    options.read_pattern != Some(QuorumReadPattern::Fifo)
}

/// The checks that come before any child is opened.
///
/// Source: `quorum_open` in `block/quorum.c`, QEMU 10.0.
fn check(options: &BlockdevOptionsQuorum) -> Result<(), Failed> {
    let children = options.children.len();
    if children == 0 {
        return Err(Failed::generic("Number of provided children must be 1 or more"));
    }
    if options.vote_threshold < 1 {
        return Err(Failed::generic("Parameter 'vote-threshold' expects a value >= 1"));
    }
    if usize::try_from(options.vote_threshold).map_or(true, |threshold| threshold > children) {
        return Err(Failed::generic("threshold may not exceed children count"));
    }
    let compares = options.blkverify == Some(true) && votes(options);
    if compares && (children != 2 || options.vote_threshold != 2) {
        let desc = "blkverify=on can only be set if there are exactly two files and vote-threshold \
                    is 2";
        return Err(Failed::generic(desc));
    }
    if compares && rewrites(options) {
        let desc = "rewrite-corrupted=on cannot be used with blkverify=on";
        return Err(Failed::generic(desc));
    }
    Ok(())
}

impl<R: Rule> Monitor<R> {
    /// Opens and attaches the children; gives the length that all have.
    pub(super) fn open_quorum(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsQuorum,
    ) -> Result<u64, Failed> {
        check(options)?;
        // QEMU lets go of those that are open already in one change, even where there are none.
        self.open_children(opening, &options.children).inspect_err(|_| self.layer.drain_all())?;
        let name = self.layer.graph.name(opening.node).to_owned();
        self.nodes.get_mut(&name).next_child = options.children.len();
        self.refresh_length(opening.node)?;
        Ok(self.layer.graph.length(opening.node))
    }

    fn open_children(&mut self, opening: Opening, children: &[BlockdevRef]) -> Result<(), Failed> {
        children.iter().enumerate().try_for_each(|(number, definition)| {
            let name = format!("children.{number}");
            self.open_further(opening, &name, definition, Role::DATA).map(|_| ())
        })
    }
}
