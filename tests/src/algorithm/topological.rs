//! QEMU's algorithm since 6.1: the whole subtree in topological order, all pairs of parents.

use blkperm_graph::Rule;

use super::network::{Network, Parent, Start, Update};

/// Every node at or below where a change begins, once, parents first: all pairs of its edges are
/// compared, and all that it demands of its children is computed anew.
///
/// Source: `bdrv_list_refresh_perms` in `block.c`, QEMU 6.1 to 10.0. Where QEMU keeps the nodes that
/// it has seen in a hash table, a number in the node does here.
#[derive(Clone, Copy, Debug)]
pub struct Topological;

impl Update for Topological {
    const NAME: &'static str = "topological";

    fn update<R: Rule>(network: &mut Network<R, Topological>, starts: &[Start]) -> bool {
        for node in network.order(starts) {
            let sum = network.sum(node);
            if network.any_pair_conflicts(node) || network.is_written_in_vain(node, sum) {
                return false;
            }
            for place in 0..network.nodes[node].children.len() {
                let edge = network.nodes[node].children[place];
                let hold = network.passed(node, edge, sum);
                network.set_hold(edge, hold);
            }
        }
        true
    }
}

impl<R: Rule> Network<R, Topological> {
    /// The nodes at or below the starts, parents first.
    ///
    /// Source: `bdrv_topological_dfs`.
    fn order(&mut self, starts: &[Start]) -> Vec<usize> {
        self.walks += 1;
        let mut finished = Vec::new();
        for &start in starts {
            match start {
                Start::Node(node) => self.finish_below(node, &mut finished),
                Start::Edge(edge) => {
                    if let Parent::Node(parent) = self.edges[edge].parent {
                        self.finish_below(parent, &mut finished);
                    }
                    self.finish_below(self.edges[edge].child, &mut finished);
                }
            }
        }
        finished.reverse();
        finished
    }

    /// Depth first, without a call for each level: chains are long.
    fn finish_below(&mut self, start: usize, finished: &mut Vec<usize>) {
        let walk = self.walks;
        let mut entered: Vec<(usize, usize)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(node) = next.take()
                && self.nodes[node].seen != walk
            {
                self.nodes[node].seen = walk;
                entered.push((node, 0));
            }
            let Some((node, place)) = entered.last_mut() else { return };
            match self.nodes[*node].children.get(*place) {
                Some(&edge) => {
                    *place += 1;
                    next = Some(self.edges[edge].child);
                }
                None => {
                    finished.push(*node);
                    entered.pop();
                }
            }
        }
    }

    /// Source: `bdrv_parent_perms_conflict`.
    fn any_pair_conflicts(&mut self, node: usize) -> bool {
        let Network { rule, nodes, edges, .. } = self;
        let parents = &nodes[node].parents;
        parents.iter().any(|&taker| {
            parents.iter().any(|&unsharer| {
                taker != unsharer
                    && !rule.conflict(edges[taker].hold, edges[unsharer].hold).is_empty()
            })
        })
    }
}
