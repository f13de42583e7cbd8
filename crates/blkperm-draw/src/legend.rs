//! What the signs of a picture mean.

use blkperm_graph::{Demand, Permissions, Slot};

use crate::picture::{Accent, Kind, Picture, When};

/// In front of what is taken.
pub(crate) const TAKES: char = '+';
/// In front of what is unshared: a minus sign.
pub(crate) const UNSHARES: char = '\u{2212}';

/// What stands for a demand of nothing.
pub(crate) const NOTHING: &str = "nothing";

/// The letter of each permission, as in a listing: `c`, `w`, `u`, `r`.
pub(crate) fn letter(slot: Slot) -> char {
    let columns = slot.permission().to_string();
    columns.chars().find(|&c| c != '-').unwrap_or('-')
}

/// A demand in short, `+cw −r`: what is taken behind a plus, what is unshared behind a minus;
/// `nothing` when that is so.
pub(crate) fn short(demand: Demand) -> String {
    let side = |sign: char, takes: bool| {
        let letters: String =
            demand.slots().filter(|slot| slot.is_take() == takes).map(letter).collect();
        (!letters.is_empty()).then(|| format!("{sign}{letters}"))
    };
    let sides: Vec<String> =
        [side(TAKES, true), side(UNSHARES, false)].into_iter().flatten().collect();
    if sides.is_empty() { NOTHING.to_owned() } else { sides.join(" ") }
}

/// A demand in words: `takes write, unshares write and resize`.
pub(crate) fn words(demand: Demand) -> String {
    let side = |verb: &str, permissions: Permissions| {
        let names: Vec<&str> = permissions.iter().map(Permissions::qmp_name).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("{verb} {one}")),
            [first @ .., last] => Some(format!("{verb} {} and {last}", first.join(", "))),
        }
    };
    let sides = [side("takes", demand.take()), side("unshares", demand.unshare())];
    let sides: Vec<String> = sides.into_iter().flatten().collect();
    if sides.is_empty() { "demands nothing".to_owned() } else { sides.join(", ") }
}

/// What one sign of a legend stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Sign {
    /// A shape.
    Shape(Kind),
    /// A text in the way of a label.
    Text(&'static str),
    /// An owner's colour.
    Owner(usize),
    /// A line with a mark.
    Line(Accent, When),
}

/// The shapes, and what they mean.
pub(crate) const SHAPES: [(Kind, &str); 6] = [
    (Kind::Export, "export"),
    (Kind::Device, "device of the guest"),
    (Kind::Job, "block job"),
    (Kind::Backend, "a job's BlockBackend"),
    (Kind::Filter, "filter node that a job put in"),
    (Kind::Node, "node"),
];

/// The signs that occur in a picture, and what they mean.
pub(crate) fn legend(picture: &Picture) -> Vec<(Sign, String)> {
    let mut legend = Vec::new();
    let mut tell = |sign: Sign, meaning: &str| legend.push((sign, meaning.to_owned()));
    for (kind, meaning) in SHAPES {
        if picture.vertices.iter().any(|vertex| vertex.kind == kind) {
            tell(Sign::Shape(kind), meaning);
        }
    }
    if picture.arrows.iter().any(|arrow| !arrow.demand().is_none()) {
        tell(Sign::Text("+cw"), "the parent takes these permissions on the child");
        tell(
            Sign::Text("\u{2212}wr"),
            "and unshares these: the child's other parents may not take them",
        );
        tell(Sign::Text("c w u r"), "consistent-read, write, write-unchanged, resize");
    }
    for owner in picture.shown_owners() {
        legend.push((Sign::Owner(owner.0), format!("{} and its claims", picture.owners[owner.0])));
    }
    let through = |letters: &crate::picture::Letter| !letters.through.is_empty();
    if picture.arrows.iter().any(|arrow| arrow.held.letters.iter().any(through)) {
        legend.push((
            Sign::Text("underlined"),
            "a claim that came through a job's filter".to_owned(),
        ));
    }
    let lines = picture.arrows.iter().map(|arrow| (arrow.accent, arrow.when));
    let boxes = picture.vertices.iter().map(|vertex| (vertex.accent, vertex.when));
    let marks: Vec<(Accent, When)> = lines.chain(boxes).collect();
    const MARKS: [(Accent, When, &str); 5] = [
        (Accent::Fault, When::Always, "refused: one of these takes what the other unshares"),
        (Accent::Cause, When::Always, "where that comes from"),
        (Accent::None, When::After, "new"),
        (Accent::None, When::Before, "goes"),
        (Accent::Changed, When::Always, "not as before"),
    ];
    for (accent, when, meaning) in MARKS {
        let shown = match accent {
            Accent::None => marks.contains(&(accent, when)),
            _ => marks.iter().any(|(one, _)| *one == accent),
        };
        if shown {
            legend.push((Sign::Line(accent, when), meaning.to_owned()));
        }
    }
    legend
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_is_told_in_short_and_in_words() {
        let cases = [
            (Demand::NONE, "nothing", "demands nothing"),
            (Demand::taking(Permissions::WRITE), "+w", "takes write"),
            (Demand::unsharing(Permissions::CONSISTENT_READ), "−c", "unshares consistent-read"),
            (
                Demand::new(Permissions::CONSISTENT_READ | Permissions::WRITE, Permissions::all()),
                "+cw −cwur",
                "takes consistent-read and write, unshares consistent-read, write, \
                 write-unchanged and resize",
            ),
        ];
        for (demand, in_short, in_words) in cases {
            assert_eq!((short(demand).as_str(), words(demand).as_str()), (in_short, in_words));
        }
    }
}
