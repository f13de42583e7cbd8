//! Which driver a node has, which role an edge, and whether the rules explain what it holds.

use blkperm_graph::driver::PREALLOCATE;
use blkperm_graph::{Condition, Demand, Driver, Permissions, Role, Row, State};

use super::variant::{self, Variant};
use super::{Node, Noted, Parent, Survey};

/// What a variant of a driver makes of a node.
pub(super) struct Fit {
    variant: Variant,
    pub(super) state: State,
    pub(super) options: Demand,
    pub(super) most_options: Demand,
    /// For each edge its role, and what the rules make of it.
    pub(super) edges: Vec<(Option<Role>, Option<Demand>)>,
    /// How many of the edges hold that.
    explained: usize,
}

/// What may have been demanded of a node by a parent that was taken off unnoticed: by an overlay of its
/// backing file, or by a `block_resize` of a preallocate node that could not be resized.
const LOST: [Demand; 5] = {
    let read = Permissions::CONSISTENT_READ;
    let still = Permissions::WRITE.union(Permissions::RESIZE);
    let none = Permissions::empty();
    [
        Demand::new(none, none),
        Demand::new(read, none),
        Demand::new(none, still),
        Demand::new(read, still),
        Demand::taking(Permissions::RESIZE),
    ]
};

impl Node {
    /// The state that QEMU has told, where it was asked.
    fn told_state(&self) -> Option<State> {
        let force_share = self.state & State::FORCE_SHARE;
        self.info.as_ref().map(|_| self.became.unwrap_or(self.state) | force_share)
    }
}

impl Survey {
    /// Finds for each node the variant of its driver that explains most of its edges, and which
    /// nodes are force-shared.
    pub(super) fn find_drivers(&mut self) {
        self.find_each_driver();
        if self.find_force_shared() {
            self.find_each_driver();
        }
        self.find_lost_parents();
        self.make_ancestors_inactive();
        self.note_unknown_drivers();
    }

    fn find_each_driver(&mut self) {
        for node in self.downwards() {
            self.find_driver(node, self.demand_on(node));
        }
    }

    /// Explains what nodes demand that had an overlay until a stream was over, or were to be resized.
    ///
    /// QEMU's quirk: see [`detach_unnoticed`](blkperm_graph::Change::detach_unnoticed).
    fn find_lost_parents(&mut self) {
        let unexplained = |survey: &Survey, node: usize| {
            survey.index.of_nodes[node].iter().any(|&edge| survey.edges[edge].unexplained.is_some())
        };
        for node in 0..self.nodes.len() {
            if !unexplained(self, node) {
                continue;
            }
            let before = self.demand_on(node).0;
            for lost in LOST {
                self.find_driver(node, (before.union(lost), true));
                if !unexplained(self, node) {
                    self.nodes[node].lost = Some(lost);
                    break;
                }
            }
            if self.nodes[node].lost.is_none() {
                self.find_driver(node, self.demand_on(node));
            }
        }
    }

    fn find_driver(&mut self, node: usize, demand: (Demand, bool)) {
        let edges = self.index.of_nodes[node].clone();
        let mut best: Option<Fit> = None;
        for variant in self.variants(node) {
            for state in self.states_of(node, variant.driver) {
                let fit = self.fit(variant, state, &edges, demand);
                if best.as_ref().is_none_or(|best| fit.explained > best.explained) {
                    best = Some(fit);
                }
            }
        }
        let Some(best) = best else { return };
        let in_state = |state| self.fit(best.variant, state, &edges, demand);
        let may_be_inactive = self.may_be_inactive(node, &best, in_state);
        let found = &mut self.nodes[node];
        found.may_be_inactive = may_be_inactive;
        found.driver = best.variant.driver;
        let told = found.told_state().map(|told| told | (best.state & State::PREALLOCATED));
        found.became = told.filter(|&told| told != best.state);
        found.state = best.state;
        found.options = best.options;
        found.most_options = best.most_options;
        for (place, (role, expected)) in edges.into_iter().zip(best.edges) {
            let edge = &mut self.edges[place];
            edge.role = role;
            edge.unexplained = (expected != Some(edge.demand)).then_some(expected);
        }
    }

    /// The variants that the node may be of, likelier ones first.
    fn variants(&self, node: usize) -> Vec<Variant> {
        let node = &self.nodes[node];
        let filter = node.job.and_then(|job| self.jobs[job].kind).map(|kind| kind.filter_driver());
        let driver = node.info.as_ref().map(|info| info.drv.as_str()).or(filter);
        let Some(driver) = driver else { return variant::guessed() };
        let mut variants = variant::of_driver(driver).unwrap_or_else(|| vec![variant::unknown()]);
        // A raw node's offset and size show in its filename, where anything does.
        if let Some(shown) = node.info.as_ref().and_then(|info| variant::raw_called(&info.file)) {
            variants.sort_by_key(|variant| !std::ptr::eq(variant.driver, shown));
        }
        variants
    }

    /// [`Survey::states`] with those that only a driver of this kind can be in.
    fn states_of(&self, node: usize, driver: &'static Driver) -> Vec<State> {
        let mut states = self.states(node);
        if driver == &PREALLOCATE {
            states.extend(states.clone().into_iter().map(|state| state | State::PREALLOCATED));
        }
        states
    }

    /// The states that the node may be in, likelier ones first.
    fn states(&self, node: usize) -> Vec<State> {
        let force_share = self.nodes[node].state & State::FORCE_SHARE;
        let taken = self.demand_on(node).0.take();
        if let Some(told) = self.nodes[node].told_state() {
            if !told.contains(State::INACTIVE) {
                return vec![told];
            }
            // QEMU's quirk: see `Graph::make_inactive_unnoticed`.
            let active = told - State::INACTIVE;
            let mut states = vec![told, active | State::READ_ONLY, active - State::READ_ONLY];
            // What an inactive node gives whose parents are to take no more was taken before.
            if !Permissions::CONSISTENT_READ.contains(taken) {
                states.rotate_left(1);
            }
            return states;
        }
        let mut states = vec![force_share];
        if !taken.intersects(Permissions::ANY_WRITE) {
            states.push(force_share | State::READ_ONLY);
        }
        if self.may_be_below_inactive(node) {
            states.push(force_share | State::INACTIVE);
        }
        states
    }

    fn fit(&self, variant: Variant, state: State, edges: &[usize], demand: (Demand, bool)) -> Fit {
        let (input, attached) = demand;
        let row = |place: usize, options: Demand| {
            let edge = &self.edges[place];
            let role = variant.role(&edge.name)?;
            let row = (variant.driver.row)(role, Condition { state, options });
            let is_force_shared = self.nodes[edge.child].state.contains(State::FORCE_SHARE);
            Some((role, if is_force_shared { row.force_shared() } else { row }))
        };
        let (mut options, mut most_options) = (Demand::NONE, Demand::NONE);
        for &place in edges {
            let with = |options| row(place, options).map(|(_, row)| row);
            let (Some(plain), Some(full)) = (with(Demand::NONE), with(variant.options)) else {
                continue;
            };
            let by_itself = |row: &Row| row.constant.union(row.attached);
            let demand = self.edges[place].demand;
            let held = demand.intersection(by_itself(&full).difference(by_itself(&plain)));
            most_options = most_options.union(held);
            options = options.union(held.difference(plain.evaluate(input, attached)));
        }
        let made = |&place: &usize| match row(place, options) {
            Some((role, row)) => (Some(role), Some(row.evaluate(input, attached))),
            None => (None, None),
        };
        let edges_made: Vec<_> = edges.iter().map(made).collect();
        let held = edges.iter().map(|&place| Some(self.edges[place].demand));
        let explained =
            edges_made.iter().zip(held).filter(|((_, made), held)| made == held).count();
        Fit { variant, state, options, most_options, edges: edges_made, explained }
    }

    /// Marks the nodes whose parents would be expected to unshare something and do not; says
    /// whether there are any.
    fn find_force_shared(&mut self) -> bool {
        let mut any = false;
        for child in 0..self.nodes.len() {
            let mut unshared = false;
            let into = self.index.into[child].iter().map(|&edge| &self.edges[edge]);
            let all_share =
                into.filter(|edge| matches!(edge.parent, Parent::Node(_))).all(|edge| {
                    let expected = edge.unexplained.flatten().unwrap_or(edge.demand);
                    unshared |= !expected.unshare().is_empty();
                    edge.demand == Demand::taking(expected.take())
                });
            if all_share && unshared {
                self.nodes[child].state |= State::FORCE_SHARE;
                any = true;
            }
        }
        any
    }

    fn note_unknown_drivers(&mut self) {
        for node in &self.nodes {
            if let Some(info) = &node.info
                && variant::of_driver(&info.drv).is_none()
            {
                let (node, driver) = (node.name.clone(), info.drv.clone());
                self.notes.push(Noted::UnknownDriver { node, driver });
            }
        }
    }
}
