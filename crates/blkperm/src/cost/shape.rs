//! The graphs that an edge is put on, as commands of QMP and as graphs of ours.

use blkperm_graph::driver::{BLKDEBUG, NULL_CO, QUORUM, RAW};
use blkperm_graph::{Demand, Driver, Graph, NewNode, NodeId, Permissions, Refusal, Role, Rule};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

/// What the edge is put on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// The top of a chain of so many raw nodes
    Chain,
    /// A node that has so many parents
    FanIn,
    /// The top of so many diamonds, stacked: two raw nodes below a quorum
    Ladder,
}

/// The node at the bottom of every shape.
const BASE: &str = "base";

/// The node whose edge is put on and taken off.
const EDGE: &str = "edge";

/// Raw nodes above what is below, and the quorum that joins them if one does.
struct Level {
    raws: Vec<String>,
    quorum: Option<String>,
}

impl Level {
    fn top(&self) -> &str {
        self.quorum.as_ref().or(self.raws.last()).map_or(BASE, String::as_str)
    }

    fn reopened_above(&self, below: &str) -> Value {
        let options = self.raws.iter().map(|raw| raw_options(raw, json!(below)));
        json!({"execute": "blockdev-reopen", "arguments": {"options": options.collect::<Value>()}})
    }

    fn add_quorum(&self) -> Option<Value> {
        self.quorum.as_ref().map(|quorum| {
            blockdev_add(json!({
                "driver": "quorum", "node-name": quorum,
                "vote-threshold": 1, "children": self.raws,
            }))
        })
    }
}

impl Shape {
    /// The sizes that are measured.
    pub(crate) fn sizes(self) -> &'static [usize] {
        match self {
            Shape::Chain | Shape::FanIn => &[10, 50, 100, 200, 400, 800, 1600],
            Shape::Ladder => &[4, 8, 12, 14, 16, 18, 20, 22],
        }
    }

    /// What one more of the size is.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Shape::Chain => "nodes",
            Shape::FanIn => "parents",
            Shape::Ladder => "diamonds",
        }
    }

    /// The shape's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::FanIn => "fan-in",
            Shape::Ladder => "ladder",
        }
    }

    /// How many edges the graph has before the edge is put on.
    pub(crate) fn edge_count(self, size: usize) -> usize {
        match self {
            Shape::Chain | Shape::FanIn => size,
            Shape::Ladder => 4 * size,
        }
    }

    /// The levels above the base, lowest first.
    fn levels(self, size: usize) -> Vec<Level> {
        let name = |letter: char, number: usize| format!("{letter}{number}");
        let numbers = 0..size;
        match self {
            Shape::Chain => {
                numbers.map(|n| Level { raws: vec![name('n', n)], quorum: None }).collect()
            }
            Shape::FanIn => {
                vec![Level { raws: numbers.map(|n| name('p', n)).collect(), quorum: None }]
            }
            Shape::Ladder => numbers
                .map(|n| Level {
                    raws: vec![name('l', n), name('r', n)],
                    quorum: Some(name('q', n)),
                })
                .collect(),
        }
    }

    /// The name of the node that the edge is put on.
    fn target(self, size: usize) -> String {
        match self {
            Shape::FanIn => BASE.to_owned(),
            Shape::Chain | Shape::Ladder => {
                self.levels(size).last().map_or(BASE, Level::top).to_owned()
            }
        }
    }

    /// The commands that build the graph from below, each node on nodes that are there.
    pub(crate) fn commands_upwards(self, size: usize) -> Vec<Value> {
        let mut commands = vec![add_base()];
        let mut below = BASE.to_owned();
        for level in self.levels(size) {
            let raws = level.raws.iter();
            commands.extend(raws.map(|raw| blockdev_add(raw_options(raw, json!(below)))));
            commands.extend(level.add_quorum());
            below = level.top().to_owned();
        }
        commands
    }

    /// The commands that build the same graph from above: raw nodes get children that are thrown
    /// away when they are reopened above the next level.
    ///
    /// From below, QEMU walks all that is below for each node that it adds, down every path, to look
    /// for cycles and to make up a filename; this way there is nothing below yet.
    pub(crate) fn commands_downwards(self, size: usize) -> Vec<Value> {
        let mut commands = Vec::new();
        let levels = self.levels(size);
        let mut above: Option<&Level> = None;
        for level in levels.iter().rev() {
            for raw in &level.raws {
                let child = json!({"driver": "null-co"});
                commands.push(blockdev_add(raw_options(raw, child)));
            }
            commands.extend(level.add_quorum());
            commands.extend(above.map(|above| above.reopened_above(level.top())));
            above = Some(level);
        }
        commands.push(add_base());
        commands.extend(above.map(|above| above.reopened_above(BASE)));
        commands
    }

    /// The commands that put the edge on, and take it off.
    pub(crate) fn edge(self, size: usize) -> [Value; 2] {
        let put_on = blockdev_add(json!({
            "driver": "blkdebug", "node-name": EDGE, "image": self.target(size),
            "take-child-perms": ["consistent-read"],
        }));
        [put_on, json!({"execute": "blockdev-del", "arguments": {"node-name": EDGE}})]
    }

    /// The same graph without QMP, with the node that the edge is put on.
    ///
    /// # Errors
    ///
    /// The refusal of an edge.
    pub(crate) fn graph<R: Rule>(
        self,
        rule: R,
        size: usize,
    ) -> Result<(Graph<R>, NodeId), Refusal> {
        let mut graph = Graph::new(rule);
        let base = graph.add_node(NewNode::new(BASE, &NULL_CO));
        let mut below = base;
        for level in self.levels(size) {
            let mut top = below;
            let mut raws = Vec::new();
            for name in &level.raws {
                top = add_above(&mut graph, name, &RAW, Role::FILTERED, &[below])?;
                raws.push(top);
            }
            if let Some(name) = &level.quorum {
                top = add_above(&mut graph, name, &QUORUM, Role::DATA, &raws)?;
            }
            below = top;
        }
        let target = if self == Shape::FanIn { base } else { below };
        Ok((graph, target))
    }
}

fn add_above<R: Rule>(
    graph: &mut Graph<R>,
    name: &str,
    driver: &'static Driver,
    role: Role,
    children: &[NodeId],
) -> Result<NodeId, Refusal> {
    let node = graph.add_node(NewNode::new(name, driver));
    for &child in children {
        graph.transact(|change| change.attach(node, child, "child", role))?;
    }
    Ok(node)
}

/// Puts the edge on and takes it off without QMP: the node is added, attached and released.
///
/// # Errors
///
/// The refusal of the edge.
pub(crate) fn edge_on_graph<R: Rule>(graph: &mut Graph<R>, target: NodeId) -> Result<(), Refusal> {
    let options = Demand::taking(Permissions::CONSISTENT_READ);
    let node = graph.add_node(NewNode { options, ..NewNode::new(EDGE, &BLKDEBUG) });
    let attached = graph.transact(|change| change.attach(node, target, "image", Role::FILTERED));
    graph.release(node);
    attached.map(|_| ())
}

fn add_base() -> Value {
    blockdev_add(json!({"driver": "null-co", "node-name": BASE}))
}

fn raw_options(name: &str, file: Value) -> Value {
    json!({"driver": "raw", "node-name": name, "file": file})
}

fn blockdev_add(options: Value) -> Value {
    json!({"execute": "blockdev-add", "arguments": options})
}

#[cfg(test)]
mod tests {
    use super::*;
    use blkperm_baseline::Baseline;

    #[test]
    fn a_graph_has_as_many_edges_as_its_shape_says() {
        for &shape in Shape::value_variants() {
            for size in [1, 2, 7] {
                let (mut graph, target) = shape.graph(Baseline, size).unwrap();
                assert_eq!(graph.edge_count(), shape.edge_count(size), "{shape:?} {size}");
                assert_eq!(graph.name(target), shape.target(size), "{shape:?} {size}");
                edge_on_graph(&mut graph, target).unwrap();
                assert_eq!(graph.edge_count(), shape.edge_count(size), "{shape:?} {size}");
            }
        }
    }
}
