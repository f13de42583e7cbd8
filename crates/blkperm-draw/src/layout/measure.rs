//! How much room texts need.
//!
//! All texts are monospaced, so that this can be told without a font; what is not ASCII is fitted
//! into the room by the picture itself.

use blkperm_graph::Demand;

use crate::legend::short;
use crate::picture::{Accent, Arrow, Held, Kind, Picture, Vertex, VertexId, When};
use crate::text::{columns, shortened};

/// The size of a vertex's name, in pixels.
pub(crate) const TITLE_SIZE: f64 = 14.0;
/// The size of all other text.
pub(crate) const NOTE_SIZE: f64 = 12.0;
/// From one line of text to the next.
pub(crate) const LINE_HEIGHT: f64 = 16.0;

/// How wide a character of a monospaced font is, as part of its size: the widest of the common
/// ones.
const ADVANCE: f64 = 0.61;

/// Around the text of a box.
const PADDING: f64 = 10.0;

/// How wide a text of that size is.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    columns(text) as f64 * ADVANCE * size
}

/// A line of text and its size.
pub(crate) type Line = (String, f64);

/// The texts of a vertex from above.
pub(crate) fn lines(picture: &Picture, vertex: &Vertex) -> Vec<Line> {
    let mut lines = vec![(shortened(&vertex.name), TITLE_SIZE)];
    let mut note = |text: String| lines.push((text, NOTE_SIZE));
    if !vertex.note.is_empty() {
        note(shortened(&vertex.note));
    }
    if let (Kind::Filter, Some(owner)) = (vertex.kind, vertex.owner) {
        note(shortened(&format!("of {}", picture.owners[owner.0])));
    }
    if !vertex.fault.is_empty() {
        note(vertex.fault.clone());
    } else if let Some(tag) = tag(vertex.when, vertex.accent) {
        note(tag.to_owned());
    }
    lines
}

/// A mark in words: not everybody sees colours.
pub(crate) fn tag(when: When, accent: Accent) -> Option<&'static str> {
    match (accent, when) {
        (Accent::Fault, When::After) => Some("refused"),
        (Accent::Fault, _) => Some("in conflict"),
        (_, When::After) => Some("new"),
        (_, When::Before) => Some("goes"),
        (Accent::Changed, When::Always) => Some("changed"),
        (Accent::None | Accent::Cause, When::Always) => None,
    }
}

/// The width and height of a vertex's box.
pub(super) fn vertex(picture: &Picture, id: VertexId, is_again: bool) -> (f64, f64) {
    let vertex = picture.vertex(id);
    let mut lines = lines(picture, vertex);
    if is_again {
        lines = vec![again(vertex)];
    }
    let widest = lines.iter().map(|(text, size)| text_width(text, *size)).fold(0.0, f64::max);
    let ends = match vertex.kind {
        Kind::Node | Kind::Filter => 0.0,
        Kind::Export | Kind::Device => 8.0,
        Kind::Backend | Kind::Job => 14.0,
    };
    let height = lines.len() as f64 * LINE_HEIGHT + PADDING;
    ((widest + 2.0 * (PADDING + ends)).max(64.0), height)
}

/// What a box says that is drawn again.
pub(crate) fn again(vertex: &Vertex) -> Line {
    (shortened(&vertex.name), NOTE_SIZE)
}

/// The width and height of an edge's label.
pub(super) fn label(arrow: &Arrow) -> (f64, f64) {
    let lines = label_lines(arrow);
    let tag = tag(arrow.when, arrow.accent);
    let texts = lines.iter().flat_map(|line| std::iter::once(&line.now).chain(&line.then));
    let texts = texts.map(String::as_str).chain(tag);
    let widest = texts.map(|text| text_width(text, NOTE_SIZE)).fold(0.0, f64::max);
    let count = lines.len() + usize::from(tag.is_some());
    (widest + 8.0, count as f64 * LINE_HEIGHT + 2.0)
}

/// A line of an edge's label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LabelLine {
    pub(crate) now: String,
    /// What stood there before, where that is something else.
    pub(crate) then: Option<String>,
}

/// The lines of an edge's label from above: its name, and what it takes and unshares.
pub(crate) fn label_lines(arrow: &Arrow) -> Vec<LabelLine> {
    let name = |held: &Held| {
        let name = shortened(&arrow.name);
        if held.frozen { format!("{name} (frozen)") } else { name }
    };
    let line = |text: &dyn Fn(&Held) -> String| {
        let now = text(&arrow.held);
        let then = arrow.before.as_ref().map(text).filter(|then| *then != now);
        LabelLine { now, then }
    };
    let demands = std::iter::once(&arrow.held).chain(&arrow.before);
    let demands_nothing = demands.map(Held::demand).all(Demand::is_none);
    let mut lines = vec![line(&name)];
    if !demands_nothing {
        lines.push(line(&|held| short(held.demand())));
    }
    lines
}
