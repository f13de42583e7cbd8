//! The reply of `x-debug-query-block-graph`, with its ids resolved.

use blkperm_graph::{Demand, Permissions};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

/// The reply of `x-debug-query-block-graph`: its nodes and edges in its order, ids resolved.
///
/// In JSON a node is its name as [`GraphNode`] writes it, an edge is
/// `[child, parent, name, "perm / shared"]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphDump {
    /// `nodes` of the reply (`XDbgBlockGraphNode`).
    pub nodes: Vec<GraphNode>,
    /// `edges` of the reply (`XDbgBlockGraphEdge`).
    pub edges: Vec<GraphEdge>,
}

impl GraphDump {
    /// The graph in the return value of `x-debug-query-block-graph`.
    ///
    /// # Errors
    ///
    /// Says what is not as `XDbgBlockGraph` of QEMU 10.0 has it, an unknown id included, and an id
    /// or a name that occurs twice.
    pub fn from_return(value: &Value) -> Result<GraphDump, serde_json::Error> {
        let reply = ReplyGraph::deserialize(value)?;
        let (mut by_id, mut names) = (HashMap::new(), HashSet::new());
        for node in &reply.nodes {
            if by_id.insert(node.id, node).is_some() {
                return Err(wrong(format!("two nodes have the id {}", node.id)));
            }
            let is_named = node.r#type != NodeType::BlockBackend;
            if is_named && !names.insert((node.r#type, &node.name)) {
                return Err(wrong(format!("two nodes are called '{}'", node.name)));
            }
        }
        let node = |id: u64| {
            by_id.get(&id).copied().ok_or_else(|| wrong(format!("no node has the id {id}")))
        };
        let edges = reply.edges.iter().map(|edge| {
            Ok(GraphEdge {
                child: node(edge.child)?.name.clone(),
                parent: node(edge.parent)?.resolved(),
                name: edge.name.clone(),
                demand: Demand::from_masks(mask(&edge.perm)?, mask(&edge.shared_perm)?),
            })
        });
        let edges = edges.collect::<Result<_, serde_json::Error>>()?;
        Ok(GraphDump { nodes: reply.nodes.iter().map(ReplyNode::resolved).collect(), edges })
    }
}

fn wrong(message: String) -> serde_json::Error {
    serde_json::Error::custom(message)
}

/// Writes one edge a line.
impl fmt::Display for GraphDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.edges.iter().try_for_each(|edge| writeln!(f, "{edge}"))
    }
}

/// What a node of the reply stands for (`XDbgBlockGraphNodeType`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeType {
    /// A BlockBackend, for example an export's.
    BlockBackend,
    /// A block job.
    BlockJob,
    /// A node of the block graph.
    BlockDriver,
}

/// A node of the reply.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GraphNode {
    /// What it stands for.
    pub r#type: NodeType,
    /// The node name, the job id, or the BlockBackend's name, which is empty for most.
    pub name: String,
}

/// Writes `mid` for a node, `job j0` for a job, `BLK` or `BLK name` for a BlockBackend.
impl fmt::Display for GraphNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.r#type, self.name.as_str()) {
            (NodeType::BlockDriver, name) => f.write_str(name),
            (NodeType::BlockJob, id) => write!(f, "job {id}"),
            (NodeType::BlockBackend, "") => f.write_str("BLK"),
            (NodeType::BlockBackend, name) => write!(f, "BLK {name}"),
        }
    }
}

/// Reads what `Display` writes; a node name has no space, so the first word tells.
impl FromStr for GraphNode {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<GraphNode, Self::Err> {
        let (r#type, name) = match text.split_once(' ') {
            Some(("job", id)) => (NodeType::BlockJob, id),
            Some(("BLK", name)) => (NodeType::BlockBackend, name),
            None if text == "BLK" => (NodeType::BlockBackend, ""),
            _ => (NodeType::BlockDriver, text),
        };
        Ok(GraphNode { r#type, name: name.to_owned() })
    }
}

impl Serialize for GraphNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GraphNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GraphNode, D::Error> {
        let Ok(node) = String::deserialize(deserializer)?.parse();
        Ok(node)
    }
}

/// An edge of the reply.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GraphEdge {
    /// The child's node name.
    pub child: String,
    /// The parent.
    pub parent: GraphNode,
    /// The edge's name, for example `backing`.
    pub name: String,
    /// `perm` and `shared-perm`.
    pub demand: Demand,
}

/// Writes `child <- parent  name  perm / shared`.
impl fmt::Display for GraphEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GraphEdge { child, parent, name, demand } = self;
        write!(f, "{child} <- {parent}  {name}  {demand}")
    }
}

impl Serialize for GraphEdge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.child, &self.parent, &self.name, self.demand.to_string()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GraphEdge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GraphEdge, D::Error> {
        let (child, parent, name, masks) =
            <(String, GraphNode, String, String)>::deserialize(deserializer)?;
        let demand = masks
            .split_once(" / ")
            .and_then(|(perm, shared)| Some(Demand::from_masks(columns(perm)?, columns(shared)?)));
        match demand {
            Some(demand) => Ok(GraphEdge { child, parent, name, demand }),
            None => Err(D::Error::custom(format!("'{masks}' is not two masks like 'cw-- / cwu-'"))),
        }
    }
}

/// The permissions that four columns like `cw-r` name.
fn columns(text: &str) -> Option<Permissions> {
    let all = 0..=Permissions::all().bits();
    let mut masks = all.map(Permissions::from_bits_truncate);
    masks.find(|mask| mask.to_string() == text)
}

fn mask(names: &[String]) -> Result<Permissions, serde_json::Error> {
    let one = |name: &String| {
        Permissions::from_qmp_name(name)
            .ok_or_else(|| wrong(format!("no permission is called '{name}'")))
    };
    names.iter().map(one).try_fold(Permissions::empty(), |mask, bit| Ok(mask | bit?))
}

/// `XDbgBlockGraph`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyGraph {
    nodes: Vec<ReplyNode>,
    edges: Vec<ReplyEdge>,
}

/// `XDbgBlockGraphNode`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyNode {
    id: u64,
    r#type: NodeType,
    name: String,
}

impl ReplyNode {
    fn resolved(&self) -> GraphNode {
        GraphNode { r#type: self.r#type, name: self.name.clone() }
    }
}

/// `XDbgBlockGraphEdge`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ReplyEdge {
    parent: u64,
    child: u64,
    name: String,
    perm: Vec<String>,
    shared_perm: Vec<String>,
}
