//! Node names: which are allowed, and how names are made up where none is given.

use blkperm_graph::{Graph, Rule};

use crate::Denied;

/// The longest node name.
///
/// Source: `node_name` in `include/block/block_int-common.h`, QEMU 10.0.
pub const MAX_NODE_NAME: usize = 31;

/// Whether `id` is a name that users may give: a letter, then letters, digits, `-`, `.` and `_`.
///
/// Source: `id_wellformed` in `util/id.c`, QEMU 10.0.
pub fn is_wellformed(id: &str) -> bool {
    let mut chars = id.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

/// Makes up node names: `#block`, a counter, and two more digits.
///
/// Source: `id_generate` in `util/id.c`, QEMU 10.0. There the two digits are random; here they
/// follow from the counter, so that a run can be repeated.
#[derive(Clone, Debug, Default)]
pub struct NodeNames {
    made: u64,
}

impl NodeNames {
    /// Takes note of a name that was given to a node elsewhere, so that it is not made up again.
    pub fn take_note(&mut self, name: &str) {
        let digits = name
            .strip_prefix("#block")
            .and_then(|rest| rest.split_at_checked(rest.len().checked_sub(2)?));
        if let Some(number) = digits.and_then(|(counter, _)| counter.parse::<u32>().ok()) {
            self.made = self.made.max(u64::from(number) + 1);
        }
    }

    /// The name of a new node: `given`, or one made up.
    ///
    /// # Errors
    ///
    /// [`Denied::InvalidNodeName`], [`Denied::DuplicateNodeName`] and [`Denied::NodeNameTooLong`].
    pub fn choose<R: Rule>(
        &mut self,
        graph: &Graph<R>,
        given: Option<&str>,
    ) -> Result<String, Denied> {
        let Some(name) = given else {
            let name = format!("#block{}{:02}", self.made, self.made * 37 % 100);
            self.made += 1;
            return Ok(name);
        };
        if !is_wellformed(name) {
            return Err(Denied::InvalidNodeName(name.to_owned()));
        }
        if graph.node_by_name(name).is_some() {
            return Err(Denied::DuplicateNodeName(name.to_owned()));
        }
        if name.len() > MAX_NODE_NAME {
            return Err(Denied::NodeNameTooLong(name.to_owned()));
        }
        Ok(name.to_owned())
    }
}
