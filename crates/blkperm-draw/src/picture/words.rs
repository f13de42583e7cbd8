//! What a picture shows, in words.

use std::fmt::Write;

use blkperm_graph::Demand;

use super::{Accent, Arrow, Held, Kind, Letter, OwnerId, Picture, Vertex, When};
use crate::legend::{short, words};

impl Picture {
    /// What differs between the two states that the picture shows, and what a refusal names: each
    /// with a word for it, and a sentence.
    pub fn changes(&self) -> Vec<(&'static str, String)> {
        let mut changes = Vec::new();
        for vertex in &self.vertices {
            if let Some(word) = word(vertex.when, vertex.accent) {
                let why = match vertex.fault.as_str() {
                    "" => String::new(),
                    fault => format!(": {fault}"),
                };
                changes.push((word, format!("{}{why}", vertex.words())));
            }
        }
        for arrow in &self.arrows {
            if let Some(word) = word(arrow.when, arrow.accent) {
                changes.push((word, self.arrow_words(arrow)));
            }
        }
        changes
    }

    /// An edge in a sentence.
    pub fn arrow_words(&self, arrow: &Arrow) -> String {
        let (parent, child) = (self.vertex(arrow.parent), self.vertex(arrow.child));
        let way = format!("{} \u{2192} {} ({})", parent.name, child.name, arrow.name);
        let now = self.held_words(&arrow.held);
        match arrow.before.as_ref().map(|before| self.held_words(before)) {
            Some(before) if before != now => format!("{way}: {now}; before: {before}"),
            _ => format!("{way}: {now}"),
        }
    }

    /// What an edge has, in words, with whose claims it is.
    fn held_words(&self, held: &Held) -> String {
        let mut text = words(held.demand());
        if held.frozen {
            text.push_str(", frozen");
        }
        for (number, owner) in self.owners.iter().enumerate() {
            let some = |pick: fn(&Letter, OwnerId) -> bool| {
                let slots = held.letters.iter().filter(|one| pick(one, OwnerId(number)));
                let demand = slots.fold(Demand::NONE, |all, one| all.union(one.slot.demand()));
                (!demand.is_none()).then(|| short(demand))
            };
            if let Some(own) = some(|letter, owner| letter.owner == Some(owner)) {
                let _ = write!(text, "; {own} by {owner}");
            }
            if let Some(through) = some(|letter, owner| letter.through.contains(&owner)) {
                let _ = write!(text, "; {through} through the filter of {owner}");
            }
        }
        text
    }
}

impl Vertex {
    /// Who it is, in words.
    pub fn words(&self) -> String {
        let Vertex { name, note, .. } = self;
        match self.kind {
            Kind::Node | Kind::Filter if note.is_empty() => format!("node '{name}'"),
            Kind::Node | Kind::Filter => format!("node '{name}' ({note})"),
            Kind::Job => format!("{note} '{name}'"),
            Kind::Export | Kind::Device | Kind::Backend => name.clone(),
        }
    }
}

/// The mark of a change in one word.
fn word(when: When, accent: Accent) -> Option<&'static str> {
    match (accent, when) {
        (Accent::Fault, When::After) => Some("Refused:"),
        (Accent::Fault, _) => Some("In conflict:"),
        (Accent::Cause, _) => Some("Because of:"),
        (_, When::After) => Some("New:"),
        (_, When::Before) => Some("Goes:"),
        (Accent::Changed, When::Always) => Some("Changed:"),
        (Accent::None, When::Always) => None,
    }
}
