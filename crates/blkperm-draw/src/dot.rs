//! A picture in the language of Graphviz.

use std::fmt::Write;

use crate::layout::{label_lines, lines, tag};
use crate::picture::{Accent, Arrow, Kind, Picture, Vertex, VertexId, When};
use crate::text::cleaned;

/// The picture as a digraph. Of two states it shows what is there afterwards.
pub fn document(picture: &Picture, title: &str) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "digraph {} {{\n  rankdir=TB;\n  node [fontname=\"monospace\" fontsize=11];\n  \
         edge [fontname=\"monospace\" fontsize=10];\n",
        quoted(title)
    );
    for (id, vertex) in picture.ids().zip(&picture.vertices) {
        if vertex.when != When::Before {
            let label: Vec<String> =
                lines(picture, vertex).into_iter().map(|line| line.0).collect();
            let attributes = vertex_attributes(vertex);
            let _ = writeln!(out, "  n{} [label={}{attributes}];", id.0, quoted(&label.join("\n")));
        }
    }
    for arrow in picture.arrows.iter().filter(|arrow| arrow.when != When::Before) {
        let (VertexId(parent), VertexId(child)) = (arrow.parent, arrow.child);
        let label = quoted(&label(arrow));
        let attributes = arrow_attributes(arrow);
        let _ = writeln!(out, "  n{parent} -> n{child} [label={label}{attributes}];");
    }
    out.push_str("}\n");
    out
}

fn label(arrow: &Arrow) -> String {
    let lines = label_lines(arrow).into_iter().map(|line| line.now);
    let tag = tag(arrow.when, arrow.accent).map(str::to_owned);
    lines.chain(tag).collect::<Vec<_>>().join("\n")
}

/// Colours that can be told apart and read on white, in the order of the owners.
const OWNERS: [&str; 4] = ["#0a58a6", "#8b3f00", "#6b2fa0", "#0b6660"];
const FAULT: &str = "#b8001f";

fn vertex_attributes(vertex: &Vertex) -> String {
    let shape = match vertex.kind {
        Kind::Node => " shape=box",
        Kind::Filter => " shape=box peripheries=2",
        Kind::Export => " shape=box style=rounded",
        Kind::Device => " shape=octagon",
        Kind::Backend => " shape=parallelogram",
        Kind::Job => " shape=hexagon",
    };
    format!("{shape}{}", color(vertex.owner.map(|owner| owner.0), vertex.accent))
}

fn arrow_attributes(arrow: &Arrow) -> String {
    let color = color(arrow.owner.map(|owner| owner.0), arrow.accent);
    let dashed = arrow.when == When::After && arrow.accent == Accent::Fault;
    format!("{color}{}", if dashed { " style=dashed" } else { "" })
}

fn color(owner: Option<usize>, accent: Accent) -> String {
    match (accent, owner) {
        (Accent::Fault, _) => format!(" color=\"{FAULT}\" fontcolor=\"{FAULT}\" penwidth=3"),
        (Accent::Cause, _) => format!(" color=\"{FAULT}\" penwidth=2"),
        (_, Some(owner)) => {
            let color = OWNERS[owner % OWNERS.len()];
            format!(" color=\"{color}\" fontcolor=\"{color}\"")
        }
        _ => String::new(),
    }
}

/// A text as a quoted string, in which nothing has a meaning but the ends of lines.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for (number, line) in text.split('\n').enumerate() {
        out.push_str(if number > 0 { "\\n" } else { "" });
        for character in cleaned(line).chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                // Graphviz reads entities of HTML everywhere.
                '&' => out.push_str("&amp;"),
                other => out.push(other),
            }
        }
    }
    out.push('"');
    out
}
