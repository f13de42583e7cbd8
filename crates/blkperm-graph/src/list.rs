//! The lists that edges are in: each edge is among its child's parents and among its parent's
//! children, newest first, as QEMU keeps them.
//!
//! The links are in the edges themselves, so that an edge is put in and taken out in constant time,
//! and one that was taken out goes back to where it was.

use crate::graph::Edge;
use crate::{EdgeId, Graph, NodeId, Parent, Rule};

/// The number that stands for "no edge" in a list.
pub(crate) const NO_EDGE: u32 = u32::MAX;

/// The neighbours in a doubly linked list of edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Links {
    previous: u32,
    pub(crate) next: u32,
}

impl Links {
    pub(crate) const NONE: Links = Links { previous: NO_EDGE, next: NO_EDGE };
}

/// Behind which edges an edge is in its two lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    among_parents: u32,
    among_children: u32,
}

impl Place {
    /// First in both.
    pub(crate) const FIRST: Place = Place { among_parents: NO_EDGE, among_children: NO_EDGE };
}

impl<R: Rule> Graph<R> {
    /// Puts the edge into both of its lists.
    pub(crate) fn link(&mut self, id: EdgeId, place: Place) {
        let Edge { parent, child, .. } = *self.edge(id);
        let next = match place.among_parents {
            NO_EDGE => &mut self.node_mut(child).first_parent,
            previous => &mut self.edge_mut(EdgeId(previous)).among_parents.next,
        };
        let next = std::mem::replace(next, id.0);
        self.edge_mut(id).among_parents = Links { previous: place.among_parents, next };
        if next != NO_EDGE {
            self.edge_mut(EdgeId(next)).among_parents.previous = id.0;
        }
        let next = match place.among_children {
            NO_EDGE => self.first_child_mut(parent),
            previous => &mut self.edge_mut(EdgeId(previous)).among_children.next,
        };
        let next = std::mem::replace(next, id.0);
        self.edge_mut(id).among_children = Links { previous: place.among_children, next };
        if next != NO_EDGE {
            self.edge_mut(EdgeId(next)).among_children.previous = id.0;
        }
    }

    /// Takes the edge out of both of its lists and returns where it was in them.
    pub(crate) fn unlink(&mut self, id: EdgeId) -> Place {
        let Edge { parent, child, among_parents, among_children, .. } = *self.edge(id);
        match among_parents.previous {
            NO_EDGE => self.node_mut(child).first_parent = among_parents.next,
            previous => self.edge_mut(EdgeId(previous)).among_parents.next = among_parents.next,
        }
        if among_parents.next != NO_EDGE {
            self.edge_mut(EdgeId(among_parents.next)).among_parents.previous =
                among_parents.previous;
        }
        match among_children.previous {
            NO_EDGE => *self.first_child_mut(parent) = among_children.next,
            previous => self.edge_mut(EdgeId(previous)).among_children.next = among_children.next,
        }
        if among_children.next != NO_EDGE {
            self.edge_mut(EdgeId(among_children.next)).among_children.previous =
                among_children.previous;
        }
        Place { among_parents: among_parents.previous, among_children: among_children.previous }
    }

    /// The newest edge out of the node.
    pub(crate) fn first_child(&self, node: NodeId) -> Option<EdgeId> {
        self.children(node).next()
    }

    fn first_child_mut(&mut self, parent: Parent) -> &mut u32 {
        match parent {
            Parent::Node(node) => &mut self.node_mut(node).first_child,
            Parent::Root(root) => &mut self.roots[root.key()].first_child,
        }
    }
}
