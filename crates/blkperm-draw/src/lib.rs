//! Pictures of block graphs: who takes and unshares what, as SVG, as DOT, and in a page.
//!
//! A [`Picture`] is plain data, made from a [`Graph`](blkperm_graph::Graph) under any rule. It can
//! show what a [`Refusal`](blkperm_graph::Refusal) is about ([`Picture::show_refusal`]) and in what
//! two graphs differ ([`Picture::between`]). [`svg`] and [`dot`] write it; [`page`] puts many of them
//! into one page.
//!
//! # Example
//!
//! ```
//! use blkperm_baseline::Baseline;
//! use blkperm_draw::{Picture, svg};
//! use blkperm_graph::driver::{FILE, QCOW2};
//! use blkperm_graph::{Graph, NewNode, Refusal, Role};
//!
//! let mut graph = Graph::new(Baseline);
//! let file = graph.add_node(NewNode::new("file", &FILE));
//! let image = graph.add_node(NewNode::new("image", &QCOW2));
//! graph.transact(|change| change.attach(image, file, "file", Role::IMAGE))?;
//! let picture = Picture::of(&graph);
//! assert_eq!((picture.vertices.len(), picture.arrows.len()), (2, 1));
//! assert!(svg::document(&picture, "an image").starts_with("<svg"));
//! # Ok::<(), Refusal>(())
//! ```

pub mod dot;
mod layout;
mod legend;
pub mod page;
mod picture;
pub mod svg;
mod text;

pub use picture::{Accent, Arrow, Held, Kind, Letter, OwnerId, Picture, Vertex, VertexId, When};
