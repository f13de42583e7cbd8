//! The pieces of a graph that hang together, without lines across half the picture.

use dagre::graph::Graph;
use dagre::{EdgeLabel, NodeLabel};

use super::route::{Ranks, spread};
use super::rows::Rows;
use super::{Area, Layout, Point, Route};
use crate::picture::{Arrow, Picture, VertexId};

/// Over how many rows a line may go. A job has an edge to every image of a long chain; instead of
/// such lines its box is drawn again, near the child.
const FARTHEST: usize = 4;

/// A box to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) vertex: VertexId,
    /// Whether it is drawn again, for the one edge whose parent is far away.
    pub(super) is_again: bool,
}

/// A line to be placed, between two stands of the piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    pub(super) arrow: usize,
    pub(super) parent: usize,
    pub(super) child: usize,
}

impl Tie {
    /// Its ends, the one in the lower row first: the child, unless two states make a cycle.
    pub(super) fn upwards(&self, rows: &Rows) -> (usize, usize) {
        if rows.row[self.parent] < rows.row[self.child] {
            (self.child, self.parent)
        } else {
            (self.parent, self.child)
        }
    }
}

/// Where a line meets a box.
#[derive(Clone, Copy, Debug)]
struct Meeting {
    tie: usize,
    /// Whether the line starts here, and does not end.
    is_start: bool,
    /// Where it would like to be, from the left.
    wish: f64,
}

/// What hangs together.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) stands: Vec<Stand>,
    pub(super) ties: Vec<Tie>,
    areas: Vec<Area>,
    routes: Vec<Route>,
}

impl Piece {
    /// The rows in which the boxes stand.
    pub(super) fn rows(&self) -> Rows {
        let ties: Vec<(usize, usize)> =
            self.ties.iter().map(|tie| (tie.parent, tie.child)).collect();
        Rows::of(self.stands.len(), &ties)
    }

    /// Takes over what was laid out, with edges from the lower row to the upper; says how wide and
    /// how high it is.
    pub(super) fn read(&mut self, graph: &Graph<NodeLabel, EdgeLabel>, rows: &Rows) -> (f64, f64) {
        self.areas = (0..self.stands.len())
            .filter_map(|place| {
                let label = graph.node(&place.to_string())?;
                let centre = Point { x: label.x?, y: label.y? };
                Some(Area { centre, width: label.width, height: label.height })
            })
            .collect();
        assert_eq!(self.areas.len(), self.stands.len(), "everything is placed");
        for tie in &self.ties {
            let name = tie.arrow.to_string();
            let (lower, upper) = tie.upwards(rows);
            let edge = graph.edge(&lower.to_string(), &upper.to_string(), Some(&name));
            let edge = edge.expect("every line is placed");
            let centre = Point { x: edge.x.unwrap_or_default(), y: edge.y.unwrap_or_default() };
            let label = Area { centre, width: edge.width, height: edge.height };
            // The first and the last are where dagre ends the line.
            let inner = edge.points.len().saturating_sub(1);
            let points = edge.points.get(1..inner).unwrap_or_default();
            let mut points: Vec<Point> =
                points.iter().map(|point| Point { x: point.x, y: point.y }).collect();
            if lower == tie.child {
                points.reverse();
            }
            let again = self.stands[tie.parent].is_again.then(|| self.areas[tie.parent]);
            self.routes.push(Route { points, label, again });
        }
        self.route();
        self.move_to_corner()
    }

    /// Makes lines from box to box of the places that they have in the ranks between.
    fn route(&mut self) {
        let labels = self.routes.iter().map(|route| &route.label);
        let ranks = Ranks::of(self.areas.iter().chain(labels));
        let mut ends = vec![[0.0; 2]; self.ties.len()];
        for (area, [above, below]) in self.areas.iter().zip(self.meetings()) {
            for side in [above, below] {
                let wishes: Vec<f64> = side.iter().map(|meeting| meeting.wish).collect();
                for (meeting, x) in side.iter().zip(spread(area, &wishes)) {
                    ends[meeting.tie][usize::from(!meeting.is_start)] = x;
                }
            }
        }
        for ((tie, route), [start, end]) in self.ties.iter().zip(&mut self.routes).zip(ends) {
            let (parent, child) = (&self.areas[tie.parent], &self.areas[tie.child]);
            route.points = ranks.way((parent, start), &route.points, (child, end));
        }
    }

    /// The lines that meet each box, above and below it.
    fn meetings(&self) -> Vec<[Vec<Meeting>; 2]> {
        let mut meetings = vec![[Vec::new(), Vec::new()]; self.areas.len()];
        for (number, (tie, route)) in self.ties.iter().zip(&self.routes).enumerate() {
            let ends = [(tie.parent, route.points.first()), (tie.child, route.points.last())];
            for ((stand, other), is_start) in ends.into_iter().zip([true, false]) {
                if let Some(other) = other {
                    let below = usize::from(other.y >= self.areas[stand].centre.y);
                    let meeting = Meeting { tie: number, is_start, wish: other.x };
                    meetings[stand][below].push(meeting);
                }
            }
        }
        meetings
    }

    /// Moves all to the upper left.
    fn move_to_corner(&mut self) -> (f64, f64) {
        let (mut low, mut high) = (
            Point { x: f64::INFINITY, y: f64::INFINITY },
            Point { x: f64::NEG_INFINITY, y: f64::NEG_INFINITY },
        );
        let mut reach = |left: f64, top: f64, right: f64, bottom: f64| {
            low = Point { x: low.x.min(left), y: low.y.min(top) };
            high = Point { x: high.x.max(right), y: high.y.max(bottom) };
        };
        let labels = self.routes.iter().map(|route| &route.label);
        for area in self.areas.iter().chain(labels) {
            reach(area.left(), area.top(), area.right(), area.bottom());
        }
        for point in self.routes.iter().flat_map(|route| &route.points) {
            reach(point.x, point.y, point.x, point.y);
        }
        self.shift(Point { x: -low.x, y: -low.y });
        (high.x - low.x, high.y - low.y)
    }

    fn shift(&mut self, by: Point) {
        self.areas.iter_mut().for_each(|area| area.shift(by));
        for route in &mut self.routes {
            route.label.shift(by);
            route.again.iter_mut().for_each(|area| area.shift(by));
            for point in &mut route.points {
                point.x += by.x;
                point.y += by.y;
            }
        }
    }

    /// Puts the piece into the picture, its upper left corner at `corner`.
    pub(super) fn put(mut self, corner: Point, layout: &mut Layout) {
        self.shift(corner);
        for (stand, area) in self.stands.iter().zip(self.areas) {
            if !stand.is_again {
                layout.vertices[stand.vertex.0] = area;
            }
        }
        for (tie, route) in self.ties.iter().zip(self.routes) {
            layout.arrows[tie.arrow] = route;
        }
    }
}

/// The pieces of a picture, in the order of their first vertices.
pub(super) fn pieces(picture: &Picture) -> Vec<Piece> {
    let far = far_arrows(picture);
    let mut sets = Sets::new(picture.vertices.len());
    for (arrow, far) in picture.arrows.iter().zip(&far) {
        if !far {
            sets.join(arrow.parent.0, arrow.child.0);
        }
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut piece_of_set = vec![None; picture.vertices.len()];
    let mut stand_of = vec![0; picture.vertices.len()];
    for vertex in picture.ids() {
        let place = *piece_of_set[sets.root(vertex.0)].get_or_insert_with(|| {
            pieces.push(Piece::default());
            pieces.len() - 1
        });
        stand_of[vertex.0] = pieces[place].stand(vertex, false);
    }
    for (number, (arrow, far)) in picture.arrows.iter().zip(far).enumerate() {
        let place = piece_of_set[sets.root(arrow.child.0)].expect("every vertex is in a piece");
        let piece = &mut pieces[place];
        let parent = if far { piece.stand(arrow.parent, true) } else { stand_of[arrow.parent.0] };
        piece.ties.push(Tie { arrow: number, parent, child: stand_of[arrow.child.0] });
    }
    pieces
}

impl Piece {
    fn stand(&mut self, vertex: VertexId, is_again: bool) -> usize {
        self.stands.push(Stand { vertex, is_again });
        self.stands.len() - 1
    }
}

/// For each arrow whether its child stands more than [`FARTHEST`] rows below its parent.
fn far_arrows(picture: &Picture) -> Vec<bool> {
    let mut far = vec![false; picture.arrows.len()];
    loop {
        let near = |(number, _): &(usize, &Arrow)| !far[*number];
        let arrows: Vec<(usize, &Arrow)> = picture.arrows.iter().enumerate().filter(near).collect();
        let ties: Vec<(usize, usize)> =
            arrows.iter().map(|(_, arrow)| (arrow.parent.0, arrow.child.0)).collect();
        let rows = Rows::of(picture.vertices.len(), &ties);
        let mut is_new = false;
        for ((number, _), &tie) in arrows.iter().zip(&ties) {
            far[*number] = rows.length(tie) > FARTHEST;
            is_new |= far[*number];
        }
        if !is_new {
            return far;
        }
    }
}

/// Disjoint sets of numbers.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Sets {
        Sets((0..count).collect())
    }

    fn root(&mut self, mut one: usize) -> usize {
        while self.0[one] != one {
            self.0[one] = self.0[self.0[one]];
            one = self.0[one];
        }
        one
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
