//! A graph as a tree that can be read: parents above, children below.

use blkperm_qmp::transcript::{GraphDump, GraphEdge, GraphNode, NodeType};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// Writes a graph: BlockBackends, jobs and nodes without parents at the left, their children below
/// them; a node that was shown already is only referred to.
///
/// What has most below it comes first, so that chains stay in one piece.
pub(super) fn tree(graph: &GraphDump) -> String {
    let mut tree = Tree::of(graph);
    let mut roots = roots(graph);
    roots.sort_by_key(|(_, edges)| Reverse(tree.reach(edges)));
    for (root, edges) in roots {
        let _ = writeln!(tree.text, "{root}");
        tree.below(edges);
    }
    tree.text
}

/// What is shown at the left.
///
/// BlockBackends mostly have no name, and each has one child; so each of their edges stands for
/// one of them.
fn roots(graph: &GraphDump) -> Vec<(&GraphNode, Vec<&GraphEdge>)> {
    let edges_of = |node: &GraphNode| graph.edges.iter().filter(|it| it.parent == *node).collect();
    let of_type = |kind| graph.nodes.iter().filter(move |node| node.r#type == kind);
    let backends = graph.edges.iter().filter(|it| it.parent.r#type == NodeType::BlockBackend);
    let mut roots: Vec<_> = backends.map(|edge| (&edge.parent, vec![edge])).collect();
    let idle = of_type(NodeType::BlockBackend).count().saturating_sub(roots.len());
    let all_idle = of_type(NodeType::BlockBackend).map(|node| (node, Vec::new()));
    roots.extend(all_idle.take(idle));
    roots.extend(of_type(NodeType::BlockJob).map(|job| (job, edges_of(job))));
    let orphans = of_type(NodeType::BlockDriver)
        .filter(|node| !graph.edges.iter().any(|edge| edge.child == node.name));
    roots.extend(orphans.map(|node| (node, edges_of(node))));
    roots
}

/// A tree that is being written.
struct Tree<'a> {
    /// The child edges of each node.
    children: HashMap<&'a str, Vec<&'a GraphEdge>>,
    shown: HashSet<&'a str>,
    text: String,
}

impl<'a> Tree<'a> {
    fn of(graph: &'a GraphDump) -> Tree<'a> {
        let mut children: HashMap<&str, Vec<&GraphEdge>> = HashMap::new();
        let drivers = graph.edges.iter().filter(|it| it.parent.r#type == NodeType::BlockDriver);
        for edge in drivers {
            children.entry(&edge.parent.name).or_default().push(edge);
        }
        Tree { children, shown: HashSet::new(), text: String::new() }
    }

    /// How many nodes are below these edges.
    fn reach(&self, edges: &[&'a GraphEdge]) -> usize {
        let mut reached = HashSet::new();
        let mut open = edges.to_vec();
        while let Some(edge) = open.pop() {
            if reached.insert(edge.child.as_str()) {
                open.extend(self.children.get(edge.child.as_str()).into_iter().flatten());
            }
        }
        reached.len()
    }

    /// Writes edges and all that is below them; with a stack of its own, since chains can be long.
    fn below(&mut self, edges: Vec<&'a GraphEdge>) {
        let mut open = vec![edges.into_iter()];
        while let Some(level) = open.last_mut() {
            let Some(edge) = level.next() else {
                open.pop();
                continue;
            };
            for (depth, level) in open.iter().enumerate() {
                self.text.push_str(match (depth + 1 == open.len(), level.as_slice().is_empty()) {
                    (true, true) => "└─ ",
                    (true, false) => "├─ ",
                    (false, true) => "   ",
                    (false, false) => "│  ",
                });
            }
            let _ = write!(self.text, "{}  {}  {}", edge.name, edge.demand, edge.child);
            let first = self.shown.insert(&edge.child);
            self.text.push_str(if first { "\n" } else { " (see above)\n" });
            let children = self.children.get(edge.child.as_str()).filter(|_| first);
            open.push(children.cloned().unwrap_or_default().into_iter());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[track_caller]
    fn check(nodes: &[&str], edges: &[[&str; 4]], expected: &str) {
        let graph: GraphDump = from_value(json!({"nodes": nodes, "edges": edges})).unwrap();
        assert_eq!(tree(&graph), expected);
    }

    #[test]
    fn an_empty_graph_is_an_empty_tree() {
        check(&[], &[], "");
    }

    #[test]
    fn what_has_no_parent_is_at_the_left_and_what_is_shared_is_shown_once() {
        let edges = [
            ["top", "job j0", "main node", "c--- / cwu-"],
            ["file", "top", "file", "cw-r / c-u-"],
            ["base", "top", "backing", "---- / cwur"],
            ["base-file", "base", "file", "cw-r / c-u-"],
            ["base", "other", "image", "---- / -wur"],
            ["top", "BLK", "root", "cw-- / cwu-"],
            ["base", "BLK", "root", "---- / cwur"],
            ["base-file", "BLK", "root", "---- / c---"],
        ];
        let nodes =
            ["other", "top", "file", "base", "base-file", "job j0", "BLK", "BLK", "BLK", "BLK"];
        let expected = "\
BLK
└─ root  cw-- / cwu-  top
   ├─ file  cw-r / c-u-  file
   └─ backing  ---- / cwur  base
      └─ file  cw-r / c-u-  base-file
job j0
└─ main node  c--- / cwu-  top (see above)
BLK
└─ root  ---- / cwur  base (see above)
other
└─ image  ---- / -wur  base (see above)
BLK
└─ root  ---- / c---  base-file (see above)
BLK
";
        check(&nodes, &edges, expected);
    }

    #[test]
    fn a_job_may_be_called_like_a_node() {
        let edges = [["x", "job x", "main node", "---- / cwur"]];
        check(&["x", "job x"], &edges, "job x\n└─ main node  ---- / cwur  x\n");
    }

    #[test]
    fn a_chain_may_be_long() {
        let names: Vec<String> = (0..2_000).map(|number| format!("n{number}")).collect();
        let nodes: Vec<&str> = names.iter().map(String::as_str).collect();
        let edges: Vec<[&str; 4]> =
            nodes.windows(2).map(|pair| [pair[1], pair[0], "file", "---- / cwur"]).collect();
        let graph: GraphDump = from_value(json!({"nodes": nodes, "edges": edges})).unwrap();
        assert_eq!(tree(&graph).lines().count(), nodes.len());
    }
}
