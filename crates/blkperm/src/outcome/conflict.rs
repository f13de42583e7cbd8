//! Reads a permission conflict out of QEMU's text for it: QEMU itself tells no more.

use serde::Serialize;
use std::fmt;

/// A permission conflict, as QEMU's text tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Conflict<'a> {
    /// The node in conflict.
    pub(crate) node: &'a str,
    /// The permissions in conflict, in QEMU's words.
    pub(crate) permissions: &'a str,
    /// Who requires them, in QEMU's words.
    pub(crate) required_by: &'a str,
    /// Who unshares them, in QEMU's words.
    pub(crate) unshared_by: &'a str,
}

impl<'a> Conflict<'a> {
    /// The conflict that a text tells; none in any other text.
    ///
    /// Source: `bdrv_a_allow_b` in `block.c`, QEMU 10.0.
    pub(crate) fn in_text(text: &'a str) -> Option<Conflict<'a>> {
        let rest = text.strip_prefix("Permission conflict on node '")?;
        let (node, rest) = rest.split_once("': permissions '")?;
        let (permissions, rest) = rest.split_once("' are both required by ")?;
        let (required_by, rest) = rest.split_once(" (uses node '")?;
        let (_, rest) = rest.split_once(" child) and unshared by ")?;
        let (unshared_by, _) = rest.split_once(" (uses node '")?;
        Some(Conflict { node, permissions, required_by, unshared_by })
    }
}

/// Writes who is against whom and where, for example `top vs. stranger on mid`.
impl fmt::Display for Conflict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requirer, unsharer) = (party(self.required_by), party(self.unshared_by));
        write!(f, "{requirer} vs. {unsharer} on {}", self.node)
    }
}

/// A parent in as few words as tell it.
///
/// Source: `bdrv_child_get_parent_desc` in `block.c` and its callees, QEMU 10.0.
fn party(words: &str) -> String {
    let Some((kind, name)) = words.strip_suffix('\'').and_then(|words| words.split_once('\''))
    else {
        return if words == "an unnamed block device" { "a BLK" } else { words }.to_owned();
    };
    match kind.trim_end().rsplit(' ').next() {
        Some("job") => format!("job {name}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_told_in_few_words() {
        let cases = [
            ("node 'mid'", "mid"),
            ("block device 'drive0'", "drive0"),
            ("an unnamed block device", "a BLK"),
            ("commit job 'j0'", "job j0"),
            ("another user", "another user"),
        ];
        for (words, few) in cases {
            assert_eq!(party(words), few);
        }
    }

    #[test]
    fn a_conflict_is_read_from_qemus_text() {
        let text = "Permission conflict on node 'mid': permissions 'consistent read, write' are \
                    both required by node 'top' (uses node 'mid' as 'backing' child) and unshared \
                    by commit job 'j0' (uses node 'mid' as 'intermediate node' child).";
        let conflict = Conflict::in_text(text).unwrap();
        let expected = Conflict {
            node: "mid",
            permissions: "consistent read, write",
            required_by: "node 'top'",
            unshared_by: "commit job 'j0'",
        };
        assert_eq!(conflict, expected);
        assert_eq!(conflict.to_string(), "top vs. job j0 on mid");
        assert_eq!(Conflict::in_text("Node 'mid' is busy: block device is in use"), None);
    }
}
