//! What hangs together: what is done in one part of the graph is not felt in another.

use std::collections::HashMap;

use blkperm_graph::{Parent, Rule};

use crate::layer::BlockLayer;

/// Sets that are joined, each called by one of its members.
struct Sets(HashMap<Parent, Parent>);

impl Sets {
    fn find(&mut self, one: Parent) -> Parent {
        let mut one = one;
        while let Some(&next) = self.0.get(&one).filter(|&&next| next != one) {
            let after = self.0.get(&next).copied().unwrap_or(next);
            self.0.insert(one, after);
            one = after;
        }
        one
    }

    fn join(&mut self, one: Parent, other: Parent) {
        let (one, other) = (self.find(one), self.find(other));
        self.0.insert(one, other);
    }
}

impl<R: Rule> BlockLayer<R> {
    /// Of each job, by its place among [`jobs`](Self::jobs), the part of the graph that it is in; each
    /// part is called by one of its members.
    ///
    /// Nodes hang together by edges, by jobs that are about them, and by a file of the host that they
    /// have open; jobs if they end together. As long as no edge joins two parts, what is done in one is
    /// not felt in the other.
    pub fn parts_of_jobs(&self) -> Vec<Parent> {
        let mut sets = Sets(HashMap::new());
        let graph = &self.graph;
        for node in graph.nodes() {
            for edge in graph.parents(node) {
                sets.join(Parent::Node(node), graph.parent_of(edge));
            }
            let sharing = graph.same_file(node);
            sharing.for_each(|other| sets.join(Parent::Node(node), Parent::Node(other)));
        }
        for job in &self.jobs {
            let root = Parent::Root(job.root);
            let nodes = job.work.nodes().into_iter().chain(job.filter);
            let nodes = nodes.filter(|&node| graph.contains_node(node)).map(Parent::Node);
            let roots = job.backends.iter().copied().chain(job.group).map(Parent::Root);
            nodes.chain(roots).for_each(|other| sets.join(root, other));
        }
        self.jobs.iter().map(|job| sets.find(Parent::Root(job.root))).collect()
    }
}
