//! What an endpoint shows of its graph, for whoever wants to choose a command that makes sense.

use std::collections::HashMap;

use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::transcript::{Job, NodeType, Reply};
use serde_json::{Value, json};

/// The drivers of images that have metadata of their own.
pub(crate) const FORMATS: [&str; 9] =
    ["luks", "parallels", "qcow", "qcow2", "qed", "vdi", "vhdx", "vmdk", "vpc"];

/// A node that has a name of its own, and so can be addressed.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// The nodes below, each with the name of the edge.
    pub(crate) children: Vec<(String, String)>,
    /// Whether it has a parent that is a node or a job.
    pub(crate) has_parent: bool,
    /// Whether it has a BlockBackend.
    pub(crate) has_backend: bool,
    /// Whether it is active.
    pub(crate) is_active: bool,
    /// Whether it is read-only.
    pub(crate) is_read_only: bool,
    /// Its length in bytes.
    pub(crate) length: u64,
}

impl Node {
    /// Whether it can be given to whoever wants a node for itself.
    pub(crate) fn is_spare(&self) -> bool {
        self.is_active && !self.is_read_only && !self.has_parent && !self.has_backend
    }

    /// Whether a chain can begin there: nothing below uses it.
    pub(crate) fn is_top(&self) -> bool {
        self.is_active && !self.has_parent
    }

    /// The name of its backing file's node.
    pub(crate) fn backing(&self) -> Option<&str> {
        let backing = self.children.iter().find(|(edge, _)| edge == "backing");
        backing.map(|(_, child)| child.as_str())
    }
}

/// An edge, by the names of its ends; a job's parent end has the job's id.
#[derive(Clone, Debug)]
struct Link {
    parent: String,
    child: String,
    is_job: bool,
    /// Whether it is a mirror's edge to what it copies.
    is_source: bool,
}

/// The state of an endpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// The nodes with a name that no counter made, newest first.
    pub(crate) nodes: Vec<Node>,
    /// The jobs, newest first.
    pub(crate) jobs: Vec<Job>,
    /// The ids of the exports, newest first.
    pub(crate) exports: Vec<String>,
    /// The files that are open, by whatever node.
    pub(crate) files: Vec<String>,
    links: Vec<Link>,
    /// The drivers of all nodes.
    drivers: HashMap<String, String>,
}

impl World {
    /// Looks at an endpoint.
    ///
    /// # Errors
    ///
    /// Stops when the endpoint does.
    pub(crate) fn of(endpoint: &mut dyn Endpoint) -> Result<World, Stop> {
        let graph = endpoint.graph()?;
        let details = query(endpoint, "query-named-block-nodes")?;
        let exports = query(endpoint, "query-block-exports")?;
        let addressable = |name: &str| !name.starts_with('#');
        let node = |detail: &Value| {
            let name = text(detail, "node-name");
            let parents = graph.edges.iter().filter(|edge| edge.child == name);
            let is_backend = |kind: NodeType| kind == NodeType::BlockBackend;
            let (backends, others): (Vec<_>, Vec<_>) =
                parents.partition(|edge| is_backend(edge.parent.r#type));
            let children = graph.edges.iter().filter(|edge| {
                edge.parent.r#type == NodeType::BlockDriver && edge.parent.name == name
            });
            Node {
                driver: text(detail, "drv"),
                children: children.map(|edge| (edge.name.clone(), edge.child.clone())).collect(),
                has_parent: !others.is_empty(),
                has_backend: !backends.is_empty(),
                is_active: detail["active"] != false,
                is_read_only: detail["ro"] == true,
                length: detail["image"]["virtual-size"].as_u64().unwrap_or(0),
                name,
            }
        };
        let of_files = |detail: &&Value| detail["drv"] == "file";
        // QEMU crashes when it is asked for more than the filter that a stream leaves without a child.
        let is_left = |node: &Node| node.driver == "copy-on-read" && node.children.is_empty();
        let drivers =
            items(&details).iter().map(|it| (text(it, "node-name"), text(it, "drv"))).collect();
        let links = graph.edges.iter().map(|edge| Link {
            parent: edge.parent.name.clone(),
            child: edge.child.clone(),
            is_job: edge.parent.r#type == NodeType::BlockJob,
            is_source: edge.name == "source",
        });
        Ok(World {
            links: links.collect(),
            nodes: items(&details)
                .iter()
                .filter(|detail| addressable(&text(detail, "node-name")))
                .map(node)
                .filter(|node| !is_left(node))
                .collect(),
            drivers,
            jobs: endpoint.jobs()?,
            exports: items(&exports).iter().map(|export| text(export, "id")).collect(),
            files: items(&details).iter().filter(of_files).map(|node| text(node, "file")).collect(),
        })
    }

    /// The node of that name.
    pub(crate) fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whether a mirror that waits to be finalized copies the node, or what lies below it.
    ///
    /// It keeps its source drained then. A job that starts above it is paused before it
    /// begins; when that job goes on depends on what else QEMU does, which crashes of it at times.
    pub(crate) fn is_above_pending(&self, node: &str) -> bool {
        let below = self.below(node);
        let is_pending =
            |id: &str| self.jobs.iter().any(|job| job.id == id && job.status == "pending");
        let mut jobs = self.links.iter().filter(|link| link.is_source && is_pending(&link.parent));
        jobs.any(|link| below.contains(&link.child.as_str()))
    }

    /// Whether what becomes of a job that copies from the node, or to it, is not ours to say.
    pub(crate) fn cannot_be_copied(&self, node: &str) -> bool {
        // Whoever writes to snapshot-access fails.
        self.is_above_pending(node)
            || self.shows_image_file(node)
            || self.is_above_driver(node, "snapshot-access")
    }

    /// Whether QEMU hangs when a mirror, a commit or an overlay comes above the node.
    pub(crate) fn cannot_be_covered(&self, node: &str) -> bool {
        self.drivers.get(node).is_some_and(|driver| driver == "compress")
    }

    /// Whether the node shows the bytes of an image of some format, or what lies below it does: nobody
    /// here knows how long that file is by now.
    pub(crate) fn shows_image_file(&self, node: &str) -> bool {
        let is = |name: &str, drivers: &[&str]| {
            self.drivers.get(name).is_some_and(|driver| drivers.contains(&driver.as_str()))
        };
        let is_below_format = |name: &str| {
            let mut above = self.links.iter().filter(|link| !link.is_job && link.child == name);
            above.any(|link| is(&link.parent, &FORMATS))
        };
        let mut below = self.below(node).into_iter();
        !is(node, &FORMATS) && below.any(|name| is(name, &["file"]) && is_below_format(name))
    }

    /// Whether a node of the driver is below another, or is that node.
    pub(crate) fn is_above_driver(&self, node: &str, driver: &str) -> bool {
        let is = |name: &&str| self.drivers.get(*name).is_some_and(|it| it == driver);
        self.below(node).iter().any(is)
    }

    /// Whether the node shows the bytes of a file, of which nobody here knows how long it is once images
    /// have changed.
    pub(crate) fn shows_file(&self, node: &str) -> bool {
        self.is_above_driver(node, "file")
            && !FORMATS.iter().any(|format| self.is_above_driver(node, format))
    }

    /// Whether a node is below another, or is that node.
    pub(crate) fn is_above(&self, node: &str, other: &str) -> bool {
        self.below(node).contains(&other)
    }

    /// The names of the node and of all nodes below it.
    pub(crate) fn nodes_below(&self, node: &str) -> Vec<String> {
        self.below(node).into_iter().map(str::to_owned).collect()
    }

    /// The node and all nodes below it.
    fn below<'w>(&'w self, node: &'w str) -> Vec<&'w str> {
        let mut below = vec![node];
        let mut done = 0;
        while let Some(&node) = below.get(done) {
            let links = self.links.iter().filter(|link| !link.is_job && link.parent == node);
            below.extend(links.map(|link| link.child.as_str()));
            done += 1;
        }
        below
    }

    /// Whether a job's filter is above a node that lies below this one.
    ///
    /// QEMU crashes when the filter goes after all others are gone that hold the node.
    pub(crate) fn is_above_filtered(&self, node: &str) -> bool {
        const FILTERS: [&str; 2] = ["copy-on-read", "copy-before-write"];
        let below = self.below(node);
        let is_filter = |name: &str| {
            let driver = self.drivers.get(name);
            driver.is_some_and(|driver| FILTERS.contains(&driver.as_str()))
        };
        let mut links = self.links.iter().filter(|link| !link.is_job && is_filter(&link.parent));
        !self.jobs.is_empty() && links.any(|link| below[1..].contains(&link.child.as_str()))
    }

    /// The names of the nodes in whose chain there is a backing file.
    pub(crate) fn tops_of_chains(&self) -> Vec<String> {
        let is_chain = |node: &&Node| self.chain(node).iter().any(|node| node.backing().is_some());
        self.nodes.iter().filter(is_chain).map(|node| node.name.clone()).collect()
    }

    /// The node and those below it that have a name, over backing and filter edges.
    pub(crate) fn chain(&self, top: &Node) -> Vec<&Node> {
        let mut chain: Vec<&Node> = Vec::new();
        let mut next = self.node(&top.name);
        while let Some(node) = next {
            chain.push(node);
            const FILTERS: [&str; 5] =
                ["blkdebug", "copy-before-write", "copy-on-read", "preallocate", "throttle"];
            let is_filter = FILTERS.contains(&node.driver.as_str());
            let is_link =
                |edge: &str| edge == "backing" || (is_filter && ["file", "image"].contains(&edge));
            let link = node.children.iter().find(|(edge, _)| is_link(edge));
            next = link.and_then(|(_, child)| self.node(child));
        }
        chain
    }
}

fn query(endpoint: &mut dyn Endpoint, query: &str) -> Result<Value, Stop> {
    match endpoint.execute(&json!({"execute": query}))? {
        Reply::Return(value) => Ok(value),
        Reply::Error { .. } => Ok(Value::Null),
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_default().to_owned()
}
