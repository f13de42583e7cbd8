//! A refusal in a picture: the edges at fault, also those that did not come to be.

use blkperm_graph::{Conflict, Demand, Fault, ParentName, Party, Permissions, Refusal};

use super::{Accent, Arrow, Held, Kind, Picture, Vertex, VertexId, When, root_words};

impl Picture {
    /// Marks what the refusal names: every pair of edges at fault, and the way on which each came
    /// by what it is at fault for. What the refused change would have added is added, and is there
    /// [afterwards](When::After).
    pub fn show_refusal(&mut self, refusal: &Refusal) {
        match refusal {
            Refusal::Permissions(faults) => faults.iter().for_each(|fault| self.show_fault(fault)),
            Refusal::Cycle { parent, child, edge } => {
                let parent = self.node(parent);
                self.show_edge(parent, child, edge, Demand::NONE, Accent::Fault);
            }
            Refusal::Frozen { edge, child } => {
                let child = self.node(child);
                let frozen = |one: &&mut Arrow| one.child == child && one.name == *edge;
                self.arrows.iter_mut().filter(frozen).for_each(|one| one.accent = Accent::Fault);
            }
            Refusal::InactiveChild { parent, child, edge } => {
                let parent = self.node(parent);
                self.show_edge(parent, child, edge, Demand::NONE, Accent::Fault);
                self.blame(child, "inactive");
            }
            Refusal::Replacing { replaced, .. } => {
                self.blame(replaced, "cannot be replaced");
            }
            Refusal::InactiveNode { .. } => {}
        }
    }

    fn show_fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Conflict(conflict) => self.show_conflict(conflict),
            Fault::ReadOnly { node, .. } => self.blame(node, "cannot be written"),
            Fault::Locked { node, slot, sources } => {
                let verb = if slot.is_take() { "take" } else { "unshare" };
                let words = format!("locked: cannot {verb} {}", slot.permission().qmp_name());
                self.blame(node, &words);
                for source in sources {
                    let VertexId(place) = self.parent(source);
                    if self.vertices[place].accent == Accent::None {
                        self.vertices[place].accent = Accent::Cause;
                    }
                }
            }
            Fault::Unaligned { node } => self.blame(node, "length is not aligned"),
        }
    }

    fn show_conflict(&mut self, conflict: &Conflict) {
        let Conflict { node, permissions, requirer, unsharer } = conflict;
        self.show_party(node, requirer, Demand::taking(*permissions));
        self.show_party(node, unsharer, Demand::unsharing(*permissions));
        let words: Vec<&str> = permissions.iter().map(Permissions::qmp_name).collect();
        self.blame(node, &format!("conflict: {}", words.join(", ")));
    }

    fn show_party(&mut self, node: &str, party: &Party, at_fault: Demand) {
        for step in party.why.iter().skip(1) {
            let parent = self.parent(&step.parent);
            self.show_edge(parent, &step.child, &step.edge, step.slot.demand(), Accent::Cause);
        }
        let parent = self.parent(&party.parent);
        self.show_edge(parent, node, &party.edge, party.demand.union(at_fault), Accent::Fault);
    }

    /// Marks an edge that demands at least `least`, and adds it where it is not there.
    fn show_edge(
        &mut self,
        parent: VertexId,
        child: &str,
        name: &str,
        least: Demand,
        accent: Accent,
    ) {
        let child = self.node(child);
        let same = |one: &&mut Arrow| (one.parent, one.child, &*one.name) == (parent, child, name);
        if let Some(arrow) = self.arrows.iter_mut().find(same) {
            let more = least.difference(arrow.demand());
            if !more.is_none() {
                arrow.before.get_or_insert_with(|| arrow.held.clone());
                arrow.held.letters.extend(Held::plain(more).letters);
                arrow.held.letters.sort();
            }
            if arrow.accent != Accent::Fault {
                arrow.accent = accent;
            }
            return;
        }
        let owner = self.vertex(parent).owner;
        self.arrows.push(Arrow {
            parent,
            child,
            name: name.to_owned(),
            held: Held::plain(least),
            before: None,
            owner,
            when: When::After,
            accent,
        });
    }

    fn blame(&mut self, node: &str, words: &str) {
        let VertexId(place) = self.node(node);
        let vertex = &mut self.vertices[place];
        vertex.accent = Accent::Fault;
        if vertex.fault.is_empty() {
            vertex.fault = words.to_owned();
        }
    }

    fn parent(&mut self, name: &ParentName) -> VertexId {
        match name {
            ParentName::Node(name) => self.node(name),
            ParentName::Root(holder) => {
                let (kind, name, note) = root_words(holder);
                self.find_or_add(kind, name, note)
            }
        }
    }

    fn node(&mut self, name: &str) -> VertexId {
        self.find_or_add(Kind::Node, name.to_owned(), String::new())
    }

    fn find_or_add(&mut self, kind: Kind, name: String, note: String) -> VertexId {
        let sought = Vertex::new(kind, name.clone(), String::new());
        let same = |one: &Vertex| one.kind == kind || one.is_node() && sought.is_node();
        let found = self.vertices.iter().position(|one| one.name == name && same(one));
        VertexId(found.unwrap_or_else(|| {
            let mut vertex = Vertex::new(kind, name, note);
            (vertex.when, vertex.accent) = (When::After, Accent::Fault);
            self.vertices.push(vertex);
            self.vertices.len() - 1
        }))
    }
}
