//! The elements of a picture: boxes, lines and labels, with their tooltips.

use std::fmt::Write;

use crate::layout::{
    self, Area, LINE_HEIGHT, Layout, NOTE_SIZE, Point, Route, label_lines, tag, text_width,
};
use crate::legend::{NOTHING, TAKES, UNSHARES, letter};
use crate::picture::{Accent, Arrow, Kind, Letter, OwnerId, Picture, Vertex, When};
use crate::text::{escaped, shortened};

/// Owners' colours; where there are more owners, colours come again.
pub(super) const OWNER_COLORS: usize = 4;

/// Writes lines first, so that boxes and labels are above them.
pub(super) fn draw(out: &mut String, picture: &Picture, layout: &Layout) {
    for (arrow, route) in picture.arrows.iter().zip(&layout.arrows) {
        line(out, picture, arrow, route);
    }
    for (vertex, area) in picture.vertices.iter().zip(&layout.vertices) {
        boxed(out, picture, vertex, area);
    }
    for (arrow, route) in picture.arrows.iter().zip(&layout.arrows) {
        label(out, picture, arrow, route);
    }
}

/// The classes of a thing: whose it is, when it is there, how it is marked.
fn classes(kind: &str, owner: Option<OwnerId>, when: When, accent: Accent) -> String {
    let mut classes = vec![kind.to_owned()];
    if let Some(owner) = owner {
        classes.push(format!("owned o{}", owner.0 % OWNER_COLORS));
    }
    let when_class = match when {
        When::Always => None,
        When::Before => Some("gone"),
        When::After => Some("new"),
    };
    let accent_class = match accent {
        Accent::None => None,
        Accent::Changed => Some("changed"),
        Accent::Cause => Some("cause"),
        Accent::Fault => Some("fault"),
    };
    classes.extend(when_class.or(accent_class).map(|_| "marked".to_owned()));
    classes.extend(when_class.into_iter().chain(accent_class).map(str::to_owned));
    classes.join(" ")
}

fn line(out: &mut String, picture: &Picture, arrow: &Arrow, route: &Route) {
    let classes = classes("way", arrow.owner, arrow.when, arrow.accent);
    let _ = write!(out, "<g class=\"{classes}\">");
    let _ = write!(out, "<path class=\"line\" d=\"{}\"/>", rounded(&route.points));
    if let [.., before, end] = route.points.as_slice() {
        let _ = write!(out, "<path class=\"tip\" d=\"{}\"/>", tip(*before, *end));
    }
    out.push_str("</g>\n");
    if let Some(area) = &route.again {
        again(out, picture, arrow, area);
    }
}

/// The parent once more, near its child.
fn again(out: &mut String, picture: &Picture, arrow: &Arrow, area: &Area) {
    let vertex = picture.vertex(arrow.parent);
    let classes = classes("ref", vertex.owner, arrow.when, Accent::None);
    let _ = write!(out, "<g class=\"{classes}\"><title>{}</title>", escaped(&vertex.name));
    shape(out, vertex.kind, area, "box again");
    text(out, "note", area.centre.x, area.centre.y + 4.0, NOTE_SIZE, &shortened(&vertex.name));
    out.push_str("</g>\n");
}

/// A line that goes round its corners.
fn rounded(points: &[Point]) -> String {
    const RADIUS: f64 = 12.0;
    let mut path = String::new();
    let Some((first, rest)) = points.split_first() else { return path };
    let _ = write!(path, "M{:.1} {:.1}", first.x, first.y);
    let mut from = *first;
    for pair in rest.windows(2) {
        let (corner, next) = (pair[0], pair[1]);
        let (entry, exit) = (towards(corner, from, RADIUS), towards(corner, next, RADIUS));
        let _ = write!(
            path,
            "L{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
            entry.x, entry.y, corner.x, corner.y, exit.x, exit.y
        );
        from = corner;
    }
    if let Some(last) = rest.last() {
        let _ = write!(path, "L{:.1} {:.1}", last.x, last.y);
    }
    path
}

/// The point at that distance from one point on the way to another, halfway at most.
fn towards(from: Point, to: Point, distance: f64) -> Point {
    let (x, y) = (to.x - from.x, to.y - from.y);
    let length = x.hypot(y);
    let part = if length > 0.0 { (distance / length).min(0.5) } else { 0.0 };
    Point { x: from.x + x * part, y: from.y + y * part }
}

/// The tip of an arrow that comes from `from`.
fn tip(from: Point, end: Point) -> String {
    const LENGTH: f64 = 9.0;
    const HALF: f64 = 4.0;
    let (x, y) = (end.x - from.x, end.y - from.y);
    let length = x.hypot(y).max(0.001);
    let (x, y) = (x / length, y / length);
    let (back_x, back_y) = (end.x - LENGTH * x, end.y - LENGTH * y);
    format!(
        "M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z",
        end.x,
        end.y,
        back_x - HALF * y,
        back_y + HALF * x,
        back_x + HALF * y,
        back_y - HALF * x
    )
}

fn boxed(out: &mut String, picture: &Picture, vertex: &Vertex, area: &Area) {
    let classes = classes("vertex", vertex.owner, vertex.when, vertex.accent);
    let _ = write!(out, "<g class=\"{classes}\"><title>{}</title>", escaped(&vertex.words()));
    shape(out, vertex.kind, area, "box");
    if vertex.kind == Kind::Filter {
        bar(out, area);
    }
    let lines = layout::lines(picture, vertex);
    let is_tagged = !vertex.fault.is_empty() || tag(vertex.when, vertex.accent).is_some();
    let mut y = area.centre.y - lines.len() as f64 * LINE_HEIGHT / 2.0 + 12.0;
    for (number, (words, size)) in lines.iter().enumerate() {
        let class = match number {
            0 => "name",
            _ if is_tagged && number + 1 == lines.len() => "tag",
            _ => "note",
        };
        text(out, class, area.centre.x, y, *size, words);
        y += LINE_HEIGHT;
    }
    out.push_str("</g>\n");
}

/// A filter's stripe at the left.
fn bar(out: &mut String, area: &Area) {
    let (x, y) = (area.left() + 3.0, area.top() + 3.0);
    let height = area.height - 6.0;
    let _ = write!(
        out,
        "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"3\" height=\"{height:.1}\"/>"
    );
}

/// The outline of a vertex.
pub(crate) fn shape(out: &mut String, kind: Kind, area: &Area, class: &str) {
    let (left, top, right, bottom) = (area.left(), area.top(), area.right(), area.bottom());
    let radius = match kind {
        Kind::Node | Kind::Filter => 4.0,
        Kind::Export => area.height / 2.0,
        Kind::Device | Kind::Backend | Kind::Job => {
            let _ = write!(out, "<path class=\"{class}\" d=\"{}\"/>", corners(kind, area));
            return;
        }
    };
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
         height=\"{:.1}\" rx=\"{radius:.0}\"/>",
        right - left,
        bottom - top
    );
}

/// An outline with corners: a hexagon for a job, a slanting box for what is a job's, a box with its
/// corners cut for a device.
fn corners(kind: Kind, area: &Area) -> String {
    const SLANT: f64 = 12.0;
    const CUT: f64 = 7.0;
    let (left, top, right, bottom) = (area.left(), area.top(), area.right(), area.bottom());
    let middle = area.centre.y;
    let points = match kind {
        Kind::Job => vec![
            (left, middle),
            (left + SLANT, top),
            (right - SLANT, top),
            (right, middle),
            (right - SLANT, bottom),
            (left + SLANT, bottom),
        ],
        Kind::Backend => {
            vec![(left + SLANT, top), (right, top), (right - SLANT, bottom), (left, bottom)]
        }
        _ => vec![
            (left + CUT, top),
            (right - CUT, top),
            (right, top + CUT),
            (right, bottom - CUT),
            (right - CUT, bottom),
            (left + CUT, bottom),
            (left, bottom - CUT),
            (left, top + CUT),
        ],
    };
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("M{}Z", points.join("L"))
}

/// A line of text around `x`, its foot at `y`. What is not ASCII is made to fit into the room that
/// was reckoned for it.
pub(super) fn text(out: &mut String, class: &str, x: f64, y: f64, size: f64, words: &str) {
    let fit = fit(words, size);
    let _ = write!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{fit}>{}</text>",
        escaped(words)
    );
}

fn fit(words: &str, size: f64) -> String {
    if words.is_ascii() {
        return String::new();
    }
    format!(" textLength=\"{:.0}\" lengthAdjust=\"spacingAndGlyphs\"", text_width(words, size))
}

fn label(out: &mut String, picture: &Picture, arrow: &Arrow, route: &Route) {
    let classes = classes("label", arrow.owner, arrow.when, arrow.accent);
    let meaning = picture.arrow_words(arrow);
    let _ = write!(out, "<g class=\"{classes}\"><title>{}</title>", escaped(&meaning));
    let Area { centre, width, height } = route.label;
    let _ = write!(
        out,
        "<rect class=\"plate\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"2\"/>",
        route.label.left(),
        route.label.top(),
    );
    let mut y = route.label.top() + 13.0;
    let lines = label_lines(arrow);
    if let Some(name) = lines.first() {
        stated(out, "edge", name.then.as_deref(), &name.now, |out, class, words| {
            text(out, class, centre.x, y, NOTE_SIZE, words);
        });
    }
    if lines.len() > 1 {
        y += LINE_HEIGHT;
        stated(out, "demand", arrow.before.as_ref(), &arrow.held, |out, class, held| {
            demand(out, class, centre.x, y, &held.letters);
        });
    }
    if let Some(tag) = tag(arrow.when, arrow.accent) {
        text(out, "tag", centre.x, y + LINE_HEIGHT, NOTE_SIZE, tag);
    }
    out.push_str("</g>\n");
}

/// Writes a thing once, or in both of its states, of which one is seen.
fn stated<T: ?Sized>(
    out: &mut String,
    class: &str,
    then: Option<&T>,
    now: &T,
    write: impl Fn(&mut String, &str, &T),
) {
    match then {
        Some(then) => {
            write(out, &format!("{class} then"), then);
            write(out, &format!("{class} now"), now);
        }
        None => write(out, class, now),
    }
}

/// What an edge takes and unshares, each letter in its owner's colour.
fn demand(out: &mut String, class: &str, x: f64, y: f64, letters: &[Letter]) {
    let _ = write!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">");
    if letters.is_empty() {
        out.push_str(NOTHING);
    }
    let mut sign = None;
    for one in letters {
        let own_sign = if one.slot.is_take() { TAKES } else { UNSHARES };
        if sign.replace(own_sign) != Some(own_sign) {
            out.push_str(if own_sign == UNSHARES && one != &letters[0] { " " } else { "" });
            out.push(own_sign);
        }
        let letter = letter(one.slot);
        match (one.owner, one.through.first()) {
            (Some(OwnerId(owner)), _) => {
                let color = owner % OWNER_COLORS;
                let _ = write!(out, "<tspan class=\"mine o{color}\">{letter}</tspan>");
            }
            (None, Some(_)) => {
                let _ = write!(out, "<tspan class=\"through\">{letter}</tspan>");
            }
            (None, None) => out.push(letter),
        }
    }
    out.push_str("</text>");
}
