//! The legend below a picture.

use std::fmt::Write;

use super::draw::{OWNER_COLORS, shape};
use crate::layout::{Area, NOTE_SIZE, Point, text_width};
use crate::legend::{Sign, legend};
use crate::picture::{Accent, Kind, Picture, When};
use crate::text::{escaped, shortened};

/// A legend and its size.
pub(super) struct Legend {
    pub(super) svg: String,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// From one line to the next.
const LINE: f64 = 22.0;
/// The room for signs, at the left of their meanings.
const SIGN: f64 = 88.0;
/// Between columns.
const GAP: f64 = 32.0;

/// The legend of a picture, in as many columns as fit below it.
pub(super) fn of(picture: &Picture, room: f64) -> Legend {
    let entries = legend(picture);
    let entries: Vec<(Sign, String)> = entries
        .into_iter()
        .map(|(sign, meaning)| match sign {
            Sign::Owner(_) => (sign, shortened(&meaning)),
            _ => (sign, meaning),
        })
        .collect();
    let widest = entries.iter().map(|(_, words)| text_width(words, NOTE_SIZE));
    let column = SIGN + widest.fold(0.0, f64::max);
    let fitting = ((room + GAP) / (column + GAP)).floor().max(1.0) as usize;
    let columns = fitting.min(entries.len()).max(1);
    let rows = entries.len().div_ceil(columns);
    let mut svg = String::from("<g class=\"drawing legend\">\n");
    for (number, (sign, words)) in entries.iter().enumerate() {
        let x = (number / rows) as f64 * (column + GAP);
        let y = (number % rows) as f64 * LINE;
        entry(&mut svg, sign, words, Point { x, y });
    }
    svg.push_str("</g>\n");
    let columns = if rows == 0 { 0 } else { entries.len().div_ceil(rows) };
    let width = columns as f64 * (column + GAP) - if columns > 0 { GAP } else { 0.0 };
    Legend { svg, width, height: rows as f64 * LINE }
}

fn entry(out: &mut String, sign: &Sign, words: &str, corner: Point) {
    let middle = corner.y + LINE / 2.0;
    let foot = middle + 4.0;
    let right = corner.x + SIGN - 16.0;
    match sign {
        Sign::Text(text) => {
            let class = if *text == "underlined" { "through" } else { "name" };
            let text = if *text == "underlined" { "c w u r" } else { text };
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{foot:.1}\">{}</text>",
                corner.x,
                escaped(text)
            );
        }
        Sign::Shape(kind) => {
            let owned = if *kind == Kind::Filter { "vertex owned o0" } else { "vertex" };
            let _ = write!(out, "<g class=\"{owned}\">");
            let centre = Point { x: corner.x + 26.0, y: middle };
            let area = Area { centre, width: 52.0, height: 16.0 };
            shape(out, *kind, &area, "box");
            out.push_str("</g>");
        }
        Sign::Owner(owner) => {
            let _ = write!(
                out,
                "<g class=\"owned o{}\"><rect class=\"box\" x=\"{:.1}\" y=\"{:.1}\" width=\"52\" \
                 height=\"16\"/><text class=\"mine\" x=\"{:.1}\" y=\"{foot:.1}\">+c \u{2212}w\
                 </text></g>",
                owner % OWNER_COLORS,
                corner.x,
                middle - 8.0,
                corner.x + 6.0,
            );
        }
        Sign::Line(accent, when) => {
            let class = match (accent, when) {
                (Accent::Fault, _) => "marked fault",
                (Accent::Cause, _) => "marked cause",
                (Accent::Changed, _) => "marked changed",
                (Accent::None, When::Before) => "marked gone",
                (Accent::None, _) => "marked new",
            };
            let _ = write!(
                out,
                "<g class=\"{class}\"><path class=\"line\" d=\"M{:.1} {middle:.1}H{:.1}\"/></g>",
                corner.x,
                corner.x + 52.0
            );
        }
    }
    let _ = writeln!(
        out,
        "<text class=\"meaning\" x=\"{right:.1}\" y=\"{foot:.1}\">{}</text>",
        escaped(words)
    );
}
