//! `blockdev-add`: opens nodes, children first or last as QEMU does, with its checks in its order.
//!
//! Source: `bdrv_open_inherit`, `bdrv_open_common`, `bdrv_open_driver` in `block.c` and the drivers'
//! open functions, QEMU 10.0; the order of checks was found with the daemon.

pub(super) mod backing;
pub(super) mod driver;
mod filter;
mod format;
mod protocol;
mod quorum;
pub(super) mod unavailable;

use blkperm_graph::{Demand, Holder, NewNode, NodeId, Role, RootId, Rule, State};
use blkperm_jobs::Denied;
use serde_json::Value;

use super::node::NodeDetail;
use super::reopen::Reopening;
use super::{Failed, Monitor, done};
use crate::command::blockdev::{
    BlockdevBase, BlockdevCacheOptions, BlockdevDetectZeroesOptions, BlockdevDiscardOptions,
    BlockdevOptions, BlockdevRef, DriverOptions,
};
use crate::qapi::flat::flatten;

pub(super) use filter::{can_compress, check_preallocation, no_throttle_group};
pub(super) use format::{raw_driver, raw_length, raw_window};

/// What a node that is defined within its parent takes over from it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inherited {
    read_only: bool,
    auto_read_only: bool,
    force_share: bool,
    inactive: bool,
    /// Whether discarding is passed on unless said otherwise.
    discard: bool,
    cache: Cache,
    /// Whether a filename says what is opened, and not its options alone.
    has_filename: bool,
}

/// The flags of a node: its own where given, inherited otherwise.
#[derive(Clone, Copy, Debug)]
struct Flags {
    read_only: bool,
    auto_read_only: bool,
    force_share: bool,
    inactive: bool,
    /// Whether it is inactive because the node that it is defined within is.
    inherits_inactive: bool,
    unmaps: bool,
    cache: Cache,
}

/// How a node is cached.
#[derive(Clone, Copy, Debug, Default)]
struct Cache {
    direct: bool,
    no_flush: bool,
}

impl Cache {
    fn of(options: Option<&BlockdevCacheOptions>, inherited: Cache) -> Cache {
        let given = |option: fn(&BlockdevCacheOptions) -> Option<bool>| options.and_then(option);
        Cache {
            direct: given(|cache| cache.direct).unwrap_or(inherited.direct),
            no_flush: given(|cache| cache.no_flush).unwrap_or(inherited.no_flush),
        }
    }

    fn options(self) -> BlockdevCacheOptions {
        BlockdevCacheOptions { direct: Some(self.direct), no_flush: Some(self.no_flush) }
    }
}

impl Flags {
    fn of(base: &BlockdevBase, inherited: Inherited) -> Flags {
        Flags {
            read_only: base.read_only.unwrap_or(inherited.read_only),
            auto_read_only: base.auto_read_only.unwrap_or(inherited.auto_read_only),
            force_share: base.force_share.unwrap_or(inherited.force_share),
            // QEMU's quirk: below an inactive node `active: true` says nothing.
            inactive: inherited.inactive || base.active == Some(false),
            inherits_inactive: inherited.inactive,
            unmaps: match base.discard {
                Some(discard) => discard == BlockdevDiscardOptions::Unmap,
                None => inherited.discard,
            },
            cache: Cache::of(base.cache.as_ref(), inherited.cache),
        }
    }

    fn state(self) -> State {
        let mut state = State::default();
        state.set(State::READ_ONLY, self.read_only);
        state.set(State::FORCE_SHARE, self.force_share);
        state.set(State::INACTIVE, self.inactive);
        state
    }

    /// What a child inherits that stores the node's data, or is filtered by it.
    fn for_storage(self) -> Inherited {
        Inherited {
            read_only: self.read_only,
            auto_read_only: self.auto_read_only,
            force_share: self.force_share,
            inactive: self.inactive,
            discard: true,
            cache: self.cache,
            has_filename: false,
        }
    }

    /// What the child inherits that is opened before the node, when QEMU has not looked yet at the
    /// node's own `active`.
    fn for_first_child(self) -> Inherited {
        Inherited { inactive: self.inherits_inactive, ..self.for_storage() }
    }

    /// What a backing file inherits.
    fn for_backing(self, has_filename: bool) -> Inherited {
        Inherited {
            read_only: true,
            auto_read_only: false,
            force_share: self.force_share,
            inactive: self.inactive,
            discard: true,
            cache: self.cache,
            has_filename,
        }
    }
}

/// A child that has been found or opened but may not have a parent yet.
#[derive(Clone, Copy, Debug)]
struct Child {
    node: NodeId,
    /// Whether the child was opened for its parent, which alone holds it in the end.
    is_inline: bool,
}

/// A node that its driver is to open.
#[derive(Clone, Copy, Debug)]
struct Opening {
    node: NodeId,
    flags: Flags,
    /// The child called `file`, if the driver has one.
    file: Option<Child>,
}

impl Opening {
    /// The child called `file`.
    ///
    /// # Panics
    ///
    /// Panics where the driver has none.
    fn file(self) -> NodeId {
        self.file.expect("the driver's file was opened").node
    }
}

impl<R: Rule> Monitor<R> {
    pub(super) fn blockdev_add(&mut self, options: &BlockdevOptions) -> Result<Value, Failed> {
        if options.base.node_name.is_none() {
            let desc = "'node-name' must be specified for the root node";
            return Err(Failed::generic(desc));
        }
        let node = self.open(options, Inherited::default())?;
        let name = self.layer.graph.name(node).to_owned();
        self.nodes.get_mut(&name).monitor_owned = true;
        done()
    }

    /// What the overlay takes over that is opened to take a node's place, by a filename besides its
    /// options or by those alone.
    pub(super) fn inherited_by_overlay(&self, node: NodeId, has_filename: bool) -> Inherited {
        let detail = self.nodes.get(self.layer.graph.name(node));
        let cache = detail.and_then(|detail| detail.cache.as_ref());
        Inherited {
            read_only: self.layer.graph.state(node).contains(State::READ_ONLY),
            discard: detail.is_some_and(|detail| detail.unmaps),
            cache: Cache::of(cache, Cache::default()),
            has_filename,
            ..Inherited::default()
        }
    }

    /// Opens a node, which the caller holds once after that.
    ///
    /// On failure all that was opened for it is gone again.
    pub(super) fn open(
        &mut self,
        options: &BlockdevOptions,
        inherited: Inherited,
    ) -> Result<NodeId, Failed> {
        if unavailable::is_absent(options.base.driver) {
            self.layer.drain_all();
            return Err(Failed::generic(format!("Unknown driver '{}'", options.base.driver)));
        }
        let flags = Flags::of(&options.base, inherited);
        // Formats look at their file before anything else.
        let file = match driver::file_of(&options.options) {
            Some(file) => {
                // Of what a filename says, a node's file is told.
                let has_filename = inherited.has_filename && !driver::names_file(options);
                let inherited = Inherited { has_filename, ..flags.for_first_child() };
                let file =
                    self.open_child(file, inherited).inspect_err(|_| self.layer.drain_all())?;
                Some((file, self.look_at(file)?))
            }
            None => None,
        };
        let looking = file.map(|(_, backend)| backend);
        let file = file.map(|(file, _)| file);
        let opened = check_flags(options, flags, inherited)
            .map_err(Unopened::Unnamed)
            .and_then(|()| self.open_named(options, flags, file));
        if let Some(backend) = looking {
            self.layer.remove_backend(backend);
        }
        let result = match opened {
            // A node that was never opened closes all the same.
            Err(Unopened::Unnamed(failed)) => {
                self.layer.drain_all();
                Err(failed)
            }
            Err(Unopened::Named(node, failed)) => {
                self.layer.release(node);
                Err(failed)
            }
            Ok(node) => self.finish(node, options, flags),
        };
        if let Some(Child { node, is_inline: true }) = file {
            self.layer.release(node);
        }
        result
    }

    /// Opens a node whose file is there already: gives it its name, and lets its driver open it.
    fn open_named(
        &mut self,
        options: &BlockdevOptions,
        flags: Flags,
        file: Option<Child>,
    ) -> Result<NodeId, Unopened> {
        let given = options.base.node_name.as_deref();
        let name = self.layer.names.choose(&self.layer.graph, given)?;
        let (driver, demand) = driver::table(&options.options);
        let node = self.layer.graph.add_node(NewNode {
            state: flags.state(),
            options: demand,
            ..NewNode::new(&name, driver)
        });
        self.layer.heirs.set_own_read_only(node, options.base.read_only.is_some());
        if let Some(denied) = obstacle(&name, driver.name, options.base.active) {
            self.layer.heirs.set_obstacle(node, denied);
        }
        let detail = self.nodes.get_mut(&name);
        *detail = NodeDetail::default();
        detail.explicit = flatten(options);
        detail.unmaps = flags.unmaps;
        detail.cache = Some(flags.cache.options());
        detail.detect_zeroes = options.base.detect_zeroes;
        match self.open_driver(Opening { node, flags, file }, &options.options) {
            Ok(()) => {
                if let Some(child) = file {
                    self.follow(child, node);
                }
                Ok(node)
            }
            Err(failed) => {
                self.layer.drain_all();
                self.drop_children(node);
                Err(Unopened::Named(node, failed))
            }
        }
    }

    /// Looks at a file by a BlockBackend that demands nothing, which stays while the driver opens its
    /// node. That is refused by a file that demands more once it has a parent.
    ///
    /// Source: `bdrv_open_inherit` in `block.c`, QEMU 10.0.
    fn look_at(&mut self, file: Child) -> Result<RootId, Failed> {
        self.layer.drain_all();
        let graph = &mut self.layer.graph;
        let purpose = format!("looking at '{}'", graph.name(file.node));
        let backend = graph.add_root(Holder::Backend { purpose }, None);
        let attached =
            graph.transact(|change| change.attach_root(backend, file.node, "root", Demand::NONE));
        if let Err(refusal) = attached {
            graph.remove_root(backend);
            self.layer.drain_all();
            if file.is_inline {
                self.layer.release(file.node);
            }
            return Err(refusal.into());
        }
        Ok(backend)
    }

    /// Lets go of the children of a node that its driver could not open, and has no driver then.
    fn drop_children(&mut self, node: NodeId) {
        let graph = &mut self.layer.graph;
        let before = graph.closings();
        let edges: Vec<_> = graph.children(node).collect();
        // No edge of a new node is frozen.
        let _ = graph.loosen(|change| edges.into_iter().try_for_each(|edge| change.detach(edge)));
        self.layer.closed(before);
    }

    /// What is left when the driver has opened its node.
    fn finish(
        &mut self,
        node: NodeId,
        options: &BlockdevOptions,
        flags: Flags,
    ) -> Result<NodeId, Failed> {
        let finished = self.open_backing(node, options, flags).and_then(|()| {
            driver::leftover(options).map_or(Ok(()), |desc| Err(Failed::generic(desc)))
        });
        match finished {
            Ok(()) => {
                self.keep_own_options(node);
                Ok(node)
            }
            Err(failed) => {
                self.layer.release(node);
                Err(failed)
            }
        }
    }

    /// Finds a child by its name, or opens it.
    fn open_child(&mut self, child: &BlockdevRef, inherited: Inherited) -> Result<Child, Failed> {
        match child {
            BlockdevRef::Reference(_) if inherited.has_filename => {
                let desc = "Cannot reference an existing block device with additional options or \
                            a new filename";
                Err(Failed::generic(desc))
            }
            BlockdevRef::Reference(name) => {
                Ok(Child { node: self.look_up(name, name)?, is_inline: false })
            }
            BlockdevRef::Definition(options) => {
                Ok(Child { node: self.open(options, inherited)?, is_inline: true })
            }
        }
    }

    /// Lets a child that was opened for its parent take over options from it.
    fn follow(&mut self, child: Child, parent: NodeId) {
        if child.is_inline {
            self.layer.heirs.set_parent(child.node, Some(parent));
        }
    }

    /// Attaches the child called `file`, which was opened before.
    fn attach_file(&mut self, opening: Opening, role: Role) -> Result<NodeId, Failed> {
        let file = opening.file();
        self.attach(opening.node, file, "file", role)?;
        Ok(file)
    }

    /// Opens a further child and attaches it.
    fn open_further(
        &mut self,
        opening: Opening,
        name: &str,
        definition: &BlockdevRef,
        role: Role,
    ) -> Result<NodeId, Failed> {
        let child = self.open_child(definition, opening.flags.for_storage())?;
        let attached = self.attach(opening.node, child.node, name, role);
        self.follow(child, opening.node);
        if child.is_inline {
            self.layer.release(child.node);
        }
        attached?;
        Ok(child.node)
    }

    /// Adds an edge to a child.
    fn attach(
        &mut self,
        parent: NodeId,
        child: NodeId,
        name: &str,
        role: Role,
    ) -> Result<(), Failed> {
        self.layer.drain_all();
        self.layer.graph.transact(|change| change.attach(parent, child, name, role))?;
        Ok(())
    }
}

/// What will keep a node from being reopened.
///
/// QEMU's quirk: that it was said whether the node is to be active is enough.
///
/// Source: `bdrv_reopen_prepare` in `block.c`, QEMU 10.0.
fn obstacle(node: &str, driver: &'static str, active: Option<bool>) -> Option<Denied> {
    if Reopening::of(driver).is_none() {
        return Some(Denied::CannotReopen { driver, node: node.to_owned() });
    }
    active.map(|_| Denied::CannotResetOption("active"))
}

/// Why a node was not opened.
enum Unopened {
    /// It has not even got its name.
    Unnamed(Failed),
    /// It has its name and is in the graph.
    Named(NodeId, Failed),
}

impl<E: Into<Failed>> From<E> for Unopened {
    fn from(error: E) -> Unopened {
        Unopened::Unnamed(error.into())
    }
}

/// The checks that come before the node's name.
fn check_flags(
    options: &BlockdevOptions,
    flags: Flags,
    inherited: Inherited,
) -> Result<(), Failed> {
    let is_null = matches!(options.options, DriverOptions::NullCo(_) | DriverOptions::NullAio(_));
    if inherited.has_filename && is_null {
        return Err(Failed::generic(format!(
            "The only allowed filename for this driver is '{}://'",
            options.base.driver
        )));
    }
    if inherited.has_filename && driver::is_file(&options.options) {
        let desc = "Can't specify 'file' and 'filename' options at the same time";
        return Err(Failed::generic(desc));
    }
    if flags.force_share && !flags.read_only {
        let desc = "force-share=on can only be used with read-only images";
        return Err(Failed::generic(desc));
    }
    if let DriverOptions::File(file)
    | DriverOptions::HostCdrom(file)
    | DriverOptions::HostDevice(file) = &options.options
        && file.filename.is_empty()
    {
        let driver = options.base.driver;
        return Err(Failed::generic(format!("The '{driver}' block driver requires a file name")));
    }
    let unmaps = options.base.detect_zeroes == Some(BlockdevDetectZeroesOptions::Unmap);
    if unmaps && !flags.unmaps {
        let desc = "setting detect-zeroes to unmap is not allowed without setting discard \
                    operation to unmap";
        return Err(Failed::generic(desc));
    }
    Ok(())
}
