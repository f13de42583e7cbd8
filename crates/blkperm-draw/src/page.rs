//! Pages with pictures: one file each, which asks nothing of any network.
//!
//! A page is light or dark as the reader's screen is, and fits a phone. Its script only opens what
//! a link leads to; without scripts the page is complete.

#[cfg(test)]
mod contrast;

use std::fmt::Write;

use maud::{DOCTYPE, Markup, PreEscaped, Render, html};
use rustc_hash::FxHashMap;

use crate::legend::SHAPES;
use crate::picture::{Kind, Picture};
use crate::svg::{self, Fragment, STYLE, View};
use crate::text::escaped;

const PAGE_STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// A text that may say anything: without what would break a page.
#[derive(Clone, Copy, Debug)]
pub struct Text<T>(pub T);

impl<T: AsRef<str>> Render for Text<T> {
    fn render_to(&self, out: &mut String) {
        out.push_str(&escaped(self.0.as_ref()));
    }
}

/// A whole page.
pub fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("blkperm ", env!("CARGO_PKG_VERSION")));
                title { (Text(title)) }
                style { (PreEscaped(PAGE_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Something wide, in a box that scrolls and can be reached with the keyboard; `what` it is, for
/// who cannot see it.
pub fn scrolled(what: &str, content: Markup) -> Markup {
    html! { div class="scroll" tabindex="0" role="group" aria-label=(what) { (content) } }
}

/// The pictures of a page. Each is in it once, wherever it is shown.
#[derive(Debug, Default)]
pub struct Album {
    ids: FxHashMap<String, usize>,
    /// What is shown, for the legend.
    owners: usize,
    shows_through: bool,
}

/// A picture that is in an album.
#[derive(Clone, PartialEq, Debug)]
pub struct Print {
    id: usize,
    fragment: Fragment,
    is_first: bool,
}

impl Print {
    /// The number of the picture in its album: pictures that look alike have the same.
    pub fn id(&self) -> usize {
        self.id
    }
}

impl Album {
    /// Adds a picture, or finds it.
    pub fn print(&mut self, picture: &Picture) -> Print {
        self.owners = self.owners.max(picture.owners.len());
        let mut letters = picture.arrows.iter().flat_map(|arrow| &arrow.held.letters);
        self.shows_through |= letters.any(|letter| !letter.through.is_empty());
        let fragment = svg::fragment(picture);
        let next = self.ids.len();
        let id = *self.ids.entry(fragment.content.clone()).or_insert(next);
        Print { id, fragment, is_first: id == next }
    }

    /// Views of a print beside each other, each with its caption.
    pub fn views(&self, print: &Print, views: &[(View, &str)]) -> Markup {
        let figures = views.iter().enumerate().map(|(number, (view, caption))| {
            let is_here = print.is_first && number + 1 == views.len();
            figure(print, *view, caption, is_here)
        });
        let style = format!("--width:{:.0}px", print.fragment.width);
        html! { div class="views" style=(style) { @for one in figures { (one) } } }
    }

    /// What the signs in the pictures mean.
    pub fn legend(&self) -> Markup {
        let entry = |sign: Markup, meaning: &str| {
            html! { div { dt { (sign) } dd { (meaning) } } }
        };
        let shape = |kind: Kind| {
            let owned = if kind == Kind::Filter { "owned o0" } else { "" };
            PreEscaped(format!(
                "<svg class=\"picture\" width=\"54\" height=\"22\" aria-hidden=\"true\">\
                 <g class=\"drawing\"><g class=\"{owned}\">{}</g></g></svg>",
                svg::outline(kind)
            ))
        };
        let line = |class: &str| {
            PreEscaped(format!(
                "<svg class=\"picture\" width=\"54\" height=\"22\" aria-hidden=\"true\">\
                 <g class=\"drawing\"><g class=\"{class}\"><path class=\"line\" \
                 d=\"M2 11H52\"/></g></g></svg>"
            ))
        };
        html! {
            dl class="legend" {
                @for (kind, meaning) in SHAPES { (entry(shape(kind), meaning)) }
                (entry(line("owned o0"), "an edge of a job: it and the job's claims have its colour"))
                (entry(html! { code { "+cw" } }, "the parent takes these permissions on the child"))
                (entry(
                    html! { code { "\u{2212}wr" } },
                    "and unshares these: the child's other parents may not take them",
                ))
                (entry(
                    html! { code { "c w u r" } },
                    "consistent-read, write, write-unchanged, resize",
                ))
                @if self.shows_through {
                    (entry(
                        html! { code { u { "c" } } },
                        "a claim that came through a job's filter",
                    ))
                }
                (entry(line("marked fault"), "refused: one takes what the other unshares"))
                (entry(line("marked cause"), "where that comes from"))
                (entry(line("marked new"), "new"))
                (entry(line("marked gone"), "goes"))
                (entry(line("marked changed"), "not as before"))
            }
        }
    }
}

/// One view of a picture, which scrolls where there is no room for it.
fn figure(print: &Print, view: View, caption: &str, is_here: bool) -> Markup {
    let Fragment { content, width, height } = &print.fragment;
    let mut picture = String::new();
    let _ = write!(
        picture,
        "<svg class=\"picture {}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\">",
        view.class(),
        escaped(caption)
    );
    if is_here {
        let _ = write!(picture, "<g id=\"picture{}\">{content}</g></svg>", print.id);
    } else {
        let _ = write!(picture, "<use href=\"#picture{}\"/></svg>", print.id);
    }
    html! {
        figure {
            figcaption { (Text(caption)) }
            div class="scroll" tabindex="0" role="group" aria-label=(format!("{caption}: picture")) {
                (PreEscaped(picture))
            }
        }
    }
}

/// How long a list is at most that is open from the start.
const MOST_OPEN: usize = 6;

/// What differs between the two states that a picture shows, and what is refused, as a list; nothing
/// where nothing differs.
pub fn changes(picture: &Picture) -> Markup {
    let changes = picture.changes();
    html! {
        @if !changes.is_empty() {
            details open[changes.len() <= MOST_OPEN] {
                summary { "In words" }
                ul class="changes" {
                    @for (word, sentence) in changes {
                        li { strong { (word) } " " (Text(sentence)) }
                    }
                }
            }
        }
    }
}
