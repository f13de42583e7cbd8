//! `x-blockdev-change`: gives a quorum another child, or takes one away.

use blkperm_graph::{EdgeId, NodeId, Role, Rule};
use serde_json::Value;

use super::{Failed, Monitor, done};
use crate::command::transaction::XBlockdevChange;

/// The only driver whose children come and go.
const QUORUM: &str = "quorum";

impl<R: Rule> Monitor<R> {
    /// Source: `qmp_x_blockdev_change` in `blockdev.c`, QEMU 10.0.
    pub(super) fn x_blockdev_change(
        &mut self,
        arguments: &XBlockdevChange,
    ) -> Result<Value, Failed> {
        // Whatever comes of it, QEMU holds the lock of the graph for writing from here on.
        self.layer.drain_all();
        let parent = self.look_up(&arguments.parent, &arguments.parent)?;
        match (&arguments.child, &arguments.node) {
            (Some(_), Some(_)) => {
                return Err(Failed::generic("The parameters child and node are in conflict"));
            }
            (None, None) => {
                return Err(Failed::generic("Either child or node must be specified"));
            }
            (Some(child), None) => {
                let Some(edge) = self.layer.graph.child_edge(parent, child) else {
                    let name = &arguments.parent;
                    let desc = format!("Node '{name}' does not have child '{child}'");
                    return Err(Failed::generic(desc));
                };
                self.remove_child(parent, edge)?;
            }
            (None, Some(node)) => {
                let Some(child) = self.layer.graph.node_by_name(node) else {
                    return Err(Failed::generic(format!("Node '{node}' not found")));
                };
                self.add_child(parent, child)?;
            }
        }
        done()
    }

    /// Source: `bdrv_add_child` and `bdrv_attach_child_common` in `block.c`, `quorum_add_child` in
    /// `block/quorum.c`, QEMU 10.0.
    fn add_child(&mut self, parent: NodeId, child: NodeId) -> Result<(), Failed> {
        let graph = &self.layer.graph;
        let name = graph.name(parent).to_owned();
        if graph.driver(parent).name != QUORUM {
            let desc = format!("The node {name} does not support adding a child");
            return Err(Failed::generic(desc));
        }
        if graph.parents(child).next().is_some() {
            let desc = format!("The node {} already has a parent", graph.name(child));
            return Err(Failed::generic(desc));
        }
        let detail = self.nodes.get_mut(&name);
        if detail.explicit.get("blkverify").is_some_and(|compares| *compares == true) {
            return Err(Failed::generic("Cannot add a child to a quorum in blkverify mode"));
        }
        let index = detail.next_child;
        let edge = format!("children.{index}");
        let mut is_attached = false;
        let attached = self.layer.graph.transact(|change| {
            change.attach(parent, child, &edge, Role::DATA)?;
            is_attached = true;
            Ok(())
        });
        // A new edge begins with its parent drained, even one that is refused then.
        if is_attached {
            self.layer.drain(parent);
        }
        attached?;
        self.nodes.get_mut(&name).next_child += 1;
        Ok(())
    }

    /// Source: `bdrv_del_child` in `block.c`, `quorum_del_child` in `block/quorum.c`, QEMU 10.0.
    fn remove_child(&mut self, parent: NodeId, edge: EdgeId) -> Result<(), Failed> {
        let graph = &self.layer.graph;
        let name = graph.name(parent).to_owned();
        if graph.driver(parent).name != QUORUM {
            let desc = format!("The node {name} does not support removing a child");
            return Err(Failed::generic(desc));
        }
        let detail = self.nodes.get_mut(&name);
        let threshold = detail.explicit.get("vote-threshold").and_then(Value::as_u64).unwrap_or(0);
        if graph.children(parent).count() as u64 <= threshold {
            return Err(Failed::generic(format!(
                "The number of children cannot be lower than the vote threshold {threshold}"
            )));
        }
        // QEMU's quirk: the number of a child is used again only if it was the last one.
        if graph.edge_name(edge) == format!("children.{}", detail.next_child.wrapping_sub(1)) {
            detail.next_child -= 1;
        }
        let before = graph.closings();
        self.layer.heirs.disinherit(&self.layer.graph, parent, edge);
        self.layer.graph.loosen(|change| change.detach(edge))?;
        self.layer.closed(before);
        Ok(())
    }
}
