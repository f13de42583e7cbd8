//! A picture as SVG.
//!
//! Colours are variables of a style sheet, light or dark as the reader's screen is. A picture that
//! shows two states holds both, each thing once; the variables of [`View`] choose which one is
//! seen.

mod draw;
mod legend;

use std::fmt::Write;

use crate::layout::{Area, Layout, Point, layout};
use crate::picture::{Kind, Picture};
use crate::text::escaped;

/// The colours and lines of pictures, for a `<style>` element.
pub const STYLE: &str = include_str!("svg/style.css");

/// Around the picture.
const MARGIN: f64 = 16.0;

/// Which of two states is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// The one before: without what is new.
    Before,
    /// The one afterwards: without what goes.
    After,
}

impl View {
    /// The class of an element in which that state is seen.
    pub fn class(self) -> &'static str {
        match self {
            View::Before => "before",
            View::After => "after",
        }
    }
}

/// A picture by itself: a file, or a part of a page.
///
/// Of two states it shows the one afterwards.
pub fn document(picture: &Picture, title: &str) -> String {
    let layout = layout(picture);
    let legend = legend::of(picture, layout.width);
    let width = layout.width.max(legend.width) + 2.0 * MARGIN;
    let gap = if picture.vertices.is_empty() { 0.0 } else { 2.0 * MARGIN };
    let height = layout.height + gap + legend.height + 2.0 * MARGIN;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture after\" role=\"img\" \
         width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
        escaped(title),
        width = width.ceil(),
        height = height.ceil(),
    );
    // A picture that is narrower than its legend stands above the middle of it.
    let left = MARGIN + ((legend.width - layout.width) / 2.0).max(0.0).round();
    let _ = writeln!(out, "<g class=\"drawing\" transform=\"translate({left:.0} {MARGIN:.0})\">");
    draw::draw(&mut out, picture, &layout);
    let below = MARGIN + layout.height + gap;
    let _ = write!(out, "</g>\n<g transform=\"translate({MARGIN:.0} {below:.0})\">\n");
    out.push_str(&legend.svg);
    out.push_str("</g>\n</svg>\n");
    out
}

/// The outline of a vertex of that kind, small enough for a legend.
pub(crate) fn outline(kind: Kind) -> String {
    let mut out = String::new();
    let centre = Point { x: 27.0, y: 11.0 };
    draw::shape(&mut out, kind, &Area { centre, width: 50.0, height: 16.0 }, "box");
    out
}

/// A picture without frame, style and legend, for pages that have several of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Fragment {
    /// The elements, to be put into a `<g>`.
    pub content: String,
    /// How wide it is, in pixels.
    pub width: f64,
    /// How high it is, in pixels.
    pub height: f64,
}

/// The picture as a part of something.
///
/// Of one that is [too large](Picture::is_too_large) it says only that.
pub fn fragment(picture: &Picture) -> Fragment {
    if picture.is_too_large() {
        let boxes = picture.vertices.len();
        let content = format!(
            "<g class=\"drawing\"><text x=\"160\" y=\"24\">{boxes} boxes: too many for a picture\
             </text></g>\n"
        );
        return Fragment { content, width: 320.0, height: 40.0 };
    }
    let placed: Layout = layout(picture);
    let mut content = String::new();
    let _ =
        writeln!(content, "<g class=\"drawing\" transform=\"translate({MARGIN:.0} {MARGIN:.0})\">");
    draw::draw(&mut content, picture, &placed);
    content.push_str("</g>\n");
    let framed = |length: f64| (length + 2.0 * MARGIN).ceil();
    Fragment { content, width: framed(placed.width), height: framed(placed.height) }
}
