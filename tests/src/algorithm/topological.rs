//! QEMU's algorithm since 6.1: the whole subtree in topological order, all pairs of parents.

use blkperm_graph::Rule;
use rustc_hash::FxHashSet;

use super::list::List;
use super::network::{Network, Parent, Start, Update};

/// Every node at or below where a change begins, once, parents first: all pairs of its edges are
/// compared, what they demand together is added up anew, and so is all that the node demands of its
/// children. What every edge held is noted, whether or not it changes.
///
/// It is QEMU's step by step, with its hash table of nodes seen, its list of nodes and its transaction,
/// each element of which is an allocation. Cheaper than there are a driver's formula, which is looked
/// up in a table here, and the size of a node, of which QEMU's takes kilobytes.
///
/// Source: `bdrv_list_refresh_perms`, `bdrv_do_refresh_perms` and `bdrv_node_refresh_perm` in
/// `block.c`, QEMU 6.1 to 10.0.
#[derive(Clone, Copy, Debug)]
pub struct Topological;

impl Update for Topological {
    const NAME: &'static str = "topological";

    fn update<R: Rule>(network: &mut Network<R, Topological>, starts: &[Start]) -> bool {
        for &node in network.order(starts).iter() {
            if network.any_pair_conflicts(node) {
                return false;
            }
            let sum = network.sum(node);
            if network.is_written_in_vain(node, sum) {
                return false;
            }
            network.transaction.tell_driver();
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
    fn order(&self, starts: &[Start]) -> List<usize> {
        // GLib hashes a pointer by itself, which is as fast.
        let mut found = FxHashSet::default();
        let mut order = List::EMPTY;
        for &start in starts {
            match start {
                Start::Node(node) => self.finish_below(node, &mut found, &mut order),
                Start::Edge(edge) => {
                    if let Parent::Node(parent) = self.edges[edge].parent {
                        self.finish_below(parent, &mut found, &mut order);
                    }
                    self.finish_below(self.edges[edge].child, &mut found, &mut order);
                }
            }
        }
        order
    }

    /// Depth first, without a call for each level: chains are long.
    fn finish_below(&self, start: usize, found: &mut FxHashSet<usize>, order: &mut List<usize>) {
        let mut entered: Vec<(usize, usize)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(node) = next.take()
                && found.insert(node)
            {
                entered.push((node, 0));
            }
            let Some((node, place)) = entered.last_mut() else { return };
            match self.nodes[*node].children.get(*place) {
                Some(&edge) => {
                    *place += 1;
                    next = Some(self.edges[edge].child);
                }
                None => {
                    order.prepend(*node);
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
