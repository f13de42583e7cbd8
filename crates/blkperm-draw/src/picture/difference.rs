//! Two pictures in one: what is only in one of them, and what is another than before.

use rustc_hash::FxHashMap;

use super::{Accent, Arrow, Kind, OwnerId, Picture, Vertex, VertexId, When};

/// By what the same vertex is known in two pictures: several may be called alike, the number tells
/// them apart.
type VertexKey = (Kind, String, usize);

/// By what the same edge is known in two pictures.
type ArrowKey = (VertexId, VertexId, String, usize);

impl Picture {
    /// Both pictures in one, each thing once: with what is only in one of them, and what changed.
    ///
    /// Things are the same when they are called alike; an edge that moves to another child goes,
    /// and comes again.
    pub fn between(before: &Picture, after: &Picture) -> Picture {
        let mut both = after.clone();
        let old_owners = both.adopt_owners(&before.owners);
        let known: FxHashMap<VertexKey, usize> =
            keys(&after.vertices).into_iter().zip(0..).collect();
        let mut places = Vec::with_capacity(before.vertices.len());
        let mut kept = vec![false; after.vertices.len()];
        for (key, vertex) in keys(&before.vertices).into_iter().zip(&before.vertices) {
            places.push(VertexId(match known.get(&key) {
                Some(&place) => {
                    kept[place] = true;
                    both.vertices[place].compare(vertex);
                    place
                }
                None => {
                    let owner = vertex.owner.map(|owner| old_owners[owner.0]);
                    both.vertices.push(Vertex { owner, when: When::Before, ..vertex.clone() });
                    both.vertices.len() - 1
                }
            }));
        }
        for (vertex, _) in both.vertices.iter_mut().zip(kept).filter(|(_, kept)| !kept) {
            vertex.when = When::After;
        }
        both.join_arrows(before, &places, &old_owners);
        both
    }

    /// Where the owners of another picture are in this one.
    fn adopt_owners(&mut self, others: &[String]) -> Vec<OwnerId> {
        let adopt = |other: &String| {
            let place = self.owners.iter().position(|owner| owner == other);
            OwnerId(place.unwrap_or_else(|| {
                self.owners.push(other.clone());
                self.owners.len() - 1
            }))
        };
        others.iter().map(adopt).collect()
    }

    fn join_arrows(&mut self, before: &Picture, places: &[VertexId], owners: &[OwnerId]) {
        let moved: Vec<Arrow> =
            before.arrows.iter().map(|arrow| arrow.moved(places, owners)).collect();
        let mut old: FxHashMap<ArrowKey, Arrow> =
            arrow_keys(&moved).into_iter().zip(moved.iter().cloned()).collect();
        let keys = arrow_keys(&self.arrows);
        for (arrow, key) in self.arrows.iter_mut().zip(keys) {
            match old.remove(&key) {
                Some(was) => arrow.compare(&was),
                None => arrow.when = When::After,
            }
        }
        for (key, arrow) in arrow_keys(&moved).into_iter().zip(moved) {
            if old.contains_key(&key) {
                self.arrows.push(Arrow { when: When::Before, ..arrow });
            }
        }
    }
}

impl Vertex {
    fn compare(&mut self, before: &Vertex) {
        if self.accent == Accent::None && self.note != before.note {
            self.accent = Accent::Changed;
        }
    }
}

impl Arrow {
    /// The arrow in a picture that has its vertices and owners elsewhere.
    fn moved(&self, places: &[VertexId], owners: &[OwnerId]) -> Arrow {
        let mut arrow = self.clone();
        arrow.parent = places[self.parent.0];
        arrow.child = places[self.child.0];
        arrow.owner = self.owner.map(|owner| owners[owner.0]);
        for letter in &mut arrow.held.letters {
            letter.owner = letter.owner.map(|owner| owners[owner.0]);
            letter.through.iter_mut().for_each(|owner| *owner = owners[owner.0]);
            letter.through.sort_unstable();
        }
        arrow
    }

    fn compare(&mut self, before: &Arrow) {
        if self.held == before.held {
            self.before = None;
            return;
        }
        self.before = Some(before.held.clone());
        if self.accent == Accent::None {
            self.accent = Accent::Changed;
        }
    }
}

/// The things with a number that tells those of the same name apart.
fn numbered<K: Clone + Eq + std::hash::Hash>(names: impl Iterator<Item = K>) -> Vec<(K, usize)> {
    let mut seen: FxHashMap<K, usize> = FxHashMap::default();
    let number = |name: K| {
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        (name, *count)
    };
    names.map(number).collect()
}

fn keys(vertices: &[Vertex]) -> Vec<VertexKey> {
    let names = vertices.iter().map(|one| (one.kind, one.name.clone()));
    numbered(names).into_iter().map(|((kind, name), number)| (kind, name, number)).collect()
}

fn arrow_keys(arrows: &[Arrow]) -> Vec<ArrowKey> {
    let names = arrows.iter().map(|one| (one.parent, one.child, one.name.clone()));
    let keys = numbered(names).into_iter();
    keys.map(|((parent, child, name), number)| (parent, child, name, number)).collect()
}
