//! Where things are put: parents above children, and no two things on one place.
//!
//! Everything has its [row](rows); where it is in it, and where lines go, `dagre` finds out. It is
//! asked for each [piece](pieces) of the graph that hangs together, and the pieces are
//! [packed](pack) beside and below each other.

mod measure;
mod pack;
mod pieces;
mod route;
mod rows;

pub(crate) use measure::{LINE_HEIGHT, NOTE_SIZE, label_lines, lines, tag, text_width};

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir, Ranker};

use rustc_hash::FxHashSet;

use crate::picture::Picture;
use pieces::Piece;

/// A place, in pixels from the upper left corner.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A box by its centre and its size, in pixels.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Area {
    pub(crate) centre: Point,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    pub(crate) fn left(&self) -> f64 {
        self.centre.x - self.width / 2.0
    }

    pub(crate) fn top(&self) -> f64 {
        self.centre.y - self.height / 2.0
    }

    pub(crate) fn right(&self) -> f64 {
        self.centre.x + self.width / 2.0
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.centre.y + self.height / 2.0
    }

    fn shift(&mut self, by: Point) {
        self.centre.x += by.x;
        self.centre.y += by.y;
    }
}

/// An edge's line, from its parent to its child, and where its label is.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Route {
    pub(crate) points: Vec<Point>,
    pub(crate) label: Area,
    /// A second picture of the parent, near the child, where the parent itself is far away.
    pub(crate) again: Option<Area>,
}

/// Where everything of a picture is.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// The place of each vertex.
    pub(crate) vertices: Vec<Area>,
    /// The way of each arrow.
    pub(crate) arrows: Vec<Route>,
}

/// Between boxes beside each other.
const NODE_GAP: f64 = 22.0;
/// Between lines beside each other.
const EDGE_GAP: f64 = 14.0;
/// Between ranks; between a box and the label of its edge it is half of it.
const RANK_GAP: f64 = 56.0;

/// Puts everything in its place.
pub(crate) fn layout(picture: &Picture) -> Layout {
    let mut layout = Layout {
        vertices: vec![Area::default(); picture.vertices.len()],
        arrows: vec![Route::default(); picture.arrows.len()],
        ..Layout::default()
    };
    let mut pieces = pieces::pieces(picture);
    let sizes: Vec<(f64, f64)> = pieces.iter_mut().map(|piece| place(picture, piece)).collect();
    let (corners, width, height) = pack::pack(&sizes);
    for (piece, corner) in pieces.into_iter().zip(corners) {
        piece.put(corner, &mut layout);
    }
    (layout.width, layout.height) = (width, height);
    layout
}

/// Lays out one piece; says how wide and how high it is.
fn place(picture: &Picture, piece: &mut Piece) -> (f64, f64) {
    let options = GraphOptions { directed: true, multigraph: true, compound: false };
    let mut graph: Graph<NodeLabel, EdgeLabel> = Graph::with_options(options);
    let rows = piece.rows();
    for (place, stand) in piece.stands.iter().enumerate() {
        let (width, height) = measure::vertex(picture, stand.vertex, stand.is_again);
        let label = NodeLabel { width, height, ..NodeLabel::default() };
        graph.set_node(place.to_string(), Some(label));
    }
    for tie in &piece.ties {
        let (width, height) = measure::label(&picture.arrows[tie.arrow]);
        let label = EdgeLabel { width, height, labelpos: LabelPos::Center, ..EdgeLabel::default() };
        let (lower, upper) = tie.upwards(&rows);
        let name = tie.arrow.to_string();
        graph.set_edge(lower.to_string(), upper.to_string(), Some(label), Some(&name));
    }
    let is_tied: FxHashSet<(usize, usize)> =
        piece.ties.iter().map(|tie| tie.upwards(&rows)).collect();
    for (place, above) in rows.above.iter().enumerate() {
        if let Some(above) = above.filter(|&above| !is_tied.contains(&(place, above))) {
            let (place, above) = (place.to_string(), above.to_string());
            graph.set_edge(place, above, Some(EdgeLabel::default()), None);
        }
    }
    dagre::layout(
        &mut graph,
        Some(LayoutOptions {
            nodesep: NODE_GAP,
            edgesep: EDGE_GAP,
            ranksep: RANK_GAP,
            rankdir: RankDir::BT,
            // It makes rows of the ties; the others take seconds where there are hundreds.
            ranker: Ranker::LongestPath,
            ..LayoutOptions::default()
        }),
    );
    piece.read(&graph, &rows)
}
