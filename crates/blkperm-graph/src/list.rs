//! The lists that edges are in: each edge is among its child's parents and among its parent's
//! children, newest first, as QEMU keeps them.
//!
//! The links are in the edges themselves, so that an edge is put in and taken out in constant time,
//! and one that was taken out goes back to where it was.

use crate::graph::Edge;
use crate::{EdgeId, Graph, Parent, Rule};

/// The number that stands for "no edge" in a list.
pub(crate) const NO_EDGE: u32 = u32::MAX;

/// A place in a doubly linked list of edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Links {
    previous: u32,
    pub(crate) next: u32,
}

impl Links {
    pub(crate) const NONE: Links = Links { previous: NO_EDGE, next: NO_EDGE };
}

impl<R: Rule> Graph<R> {
    /// Puts the edge first into both of its lists.
    pub(crate) fn link_first(&mut self, id: EdgeId) {
        let Edge { parent, child, .. } = *self.edge(id);
        let among_parents = Links { previous: NO_EDGE, next: self.node(child).first_parent };
        let among_children = Links { previous: NO_EDGE, next: *self.first_child_mut(parent) };
        self.link(id, among_parents, among_children);
    }

    /// Puts the edge into both of its lists between the neighbours that the links name.
    pub(crate) fn link(&mut self, id: EdgeId, among_parents: Links, among_children: Links) {
        let Edge { parent, child, .. } = *self.edge(id);
        self.edge_mut(id).among_parents = among_parents;
        self.edge_mut(id).among_children = among_children;
        match among_parents.previous {
            NO_EDGE => self.node_mut(child).first_parent = id.0,
            previous => self.edge_mut(EdgeId(previous)).among_parents.next = id.0,
        }
        match among_children.previous {
            NO_EDGE => *self.first_child_mut(parent) = id.0,
            previous => self.edge_mut(EdgeId(previous)).among_children.next = id.0,
        }
        if among_parents.next != NO_EDGE {
            self.edge_mut(EdgeId(among_parents.next)).among_parents.previous = id.0;
        }
        if among_children.next != NO_EDGE {
            self.edge_mut(EdgeId(among_children.next)).among_children.previous = id.0;
        }
    }

    /// Takes the edge out of both of its lists and returns where it was in them.
    pub(crate) fn unlink(&mut self, id: EdgeId) -> (Links, Links) {
        let Edge { parent, child, among_parents, among_children, .. } = *self.edge(id);
        match among_parents.previous {
            NO_EDGE => self.node_mut(child).first_parent = among_parents.next,
            previous => self.edge_mut(EdgeId(previous)).among_parents.next = among_parents.next,
        }
        match among_children.previous {
            NO_EDGE => *self.first_child_mut(parent) = among_children.next,
            previous => self.edge_mut(EdgeId(previous)).among_children.next = among_children.next,
        }
        if among_parents.next != NO_EDGE {
            self.edge_mut(EdgeId(among_parents.next)).among_parents.previous =
                among_parents.previous;
        }
        if among_children.next != NO_EDGE {
            self.edge_mut(EdgeId(among_children.next)).among_children.previous =
                among_children.previous;
        }
        (among_parents, among_children)
    }

    fn first_child_mut(&mut self, parent: Parent) -> &mut u32 {
        match parent {
            Parent::Node(node) => &mut self.node_mut(node).first_child,
            Parent::Root(root) => &mut self.roots[root.key()].first_child,
        }
    }
}
