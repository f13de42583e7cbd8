//! A part of a picture.

use super::{Arrow, Kind, OwnerId, Picture, VertexId};

impl Picture {
    /// The names of the nodes.
    pub fn node_names(&self) -> Vec<String> {
        let nodes = self.vertices.iter().filter(|vertex| vertex.is_node());
        nodes.map(|vertex| vertex.name.clone()).collect()
    }

    /// Whether a layout would take minutes, and nobody could read it.
    pub fn is_too_large(&self) -> bool {
        const MOST_VERTICES: usize = 3_000;
        const MOST_ARROWS: usize = 4_000;
        self.vertices.len() > MOST_VERTICES || self.arrows.len() > MOST_ARROWS
    }

    /// Only what is above and below the nodes of these names.
    ///
    /// # Errors
    ///
    /// The first name that no node has.
    pub fn around(&self, names: &[String]) -> Result<Picture, String> {
        let mut start = Vec::new();
        for name in names {
            let named = |id: &VertexId| {
                let vertex = self.vertex(*id);
                vertex.is_node() && vertex.name == *name
            };
            start.push(self.ids().find(named).ok_or_else(|| name.clone())?);
        }
        let below = self.reach(&start, |arrow| (arrow.parent, arrow.child));
        let above = self.reach(&start, |arrow| (arrow.child, arrow.parent));
        Ok(self.only(|id| below[id.0] || above[id.0]))
    }

    /// Which vertices are reached when edges are followed one way.
    fn reach(&self, start: &[VertexId], way: fn(&Arrow) -> (VertexId, VertexId)) -> Vec<bool> {
        let mut next: Vec<Vec<VertexId>> = vec![Vec::new(); self.vertices.len()];
        for (from, to) in self.arrows.iter().map(way) {
            next[from.0].push(to);
        }
        let mut reached = vec![false; self.vertices.len()];
        let mut open = start.to_vec();
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut reached[id.0], true) {
                open.extend(&next[id.0]);
            }
        }
        reached
    }

    fn only(&self, kept: impl Fn(VertexId) -> bool) -> Picture {
        let mut places = vec![None; self.vertices.len()];
        let mut part = Picture { owners: self.owners.clone(), ..Picture::default() };
        for id in self.ids().filter(|&id| kept(id)) {
            places[id.0] = Some(VertexId(part.vertices.len()));
            part.vertices.push(self.vertex(id).clone());
        }
        for arrow in &self.arrows {
            if let (Some(parent), Some(child)) = (places[arrow.parent.0], places[arrow.child.0]) {
                part.arrows.push(Arrow { parent, child, ..arrow.clone() });
            }
        }
        part
    }

    /// The owners that something in the picture belongs to.
    pub(crate) fn shown_owners(&self) -> Vec<OwnerId> {
        let is_shown = |owner: &OwnerId| {
            let of_vertex = self.vertices.iter().any(|one| one.owner == Some(*owner));
            let of_letter = |arrow: &Arrow| {
                arrow
                    .held
                    .letters
                    .iter()
                    .any(|one| one.owner == Some(*owner) || one.through.contains(owner))
            };
            of_vertex || self.arrows.iter().any(of_letter)
        };
        (0..self.owners.len()).map(OwnerId).filter(is_shown).collect()
    }
}

impl super::Vertex {
    /// Whether it stands for a node.
    pub fn is_node(&self) -> bool {
        matches!(self.kind, Kind::Node | Kind::Filter)
    }
}
