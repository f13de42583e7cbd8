//! Jobs, and what can be asked of them.

use serde_json::{Value, json};

use super::Arguments;
use crate::scene::Scene;
use crate::world::Node;

/// A mirror from a root to anything.
pub(super) fn mirror(scene: &mut Scene) -> Option<Value> {
    let device = scene.node(Node::is_top)?;
    let target = target(scene, &device)?;
    if scene.world.cannot_be_covered(&device) {
        return None;
    }
    if [&device, &target].into_iter().any(|node| scene.world.cannot_be_copied(node)) {
        return None;
    }
    let sync = scene.dice.weighted(&[(10, "full"), (8, "top"), (8, "none"), (1, "incremental")]);
    let mut mirror =
        start(scene).with("device", device.clone()).with("target", target).with("sync", sync);
    if scene.dice.chance(12) {
        let below = chain(scene, &device);
        let replaced = scene.dice.pick(&below).filter(|_| scene.dice.chance(70));
        mirror = mirror.with_some("replaces", replaced.or_else(|| scene.node(|_| true)));
    }
    let dice = &mut scene.dice;
    if dice.chance(10) {
        mirror =
            mirror.with("copy-mode", dice.weighted(&[(1, "background"), (2, "write-blocking")]));
    }
    if dice.chance(3) {
        mirror = mirror.with("granularity", dice.weighted(&[(3, 65536), (1, 1), (1, 1000)]));
    }
    Some(mirror.of("blockdev-mirror"))
}

/// A commit of anything in a chain into anything below.
pub(super) fn commit(scene: &mut Scene) -> Option<Value> {
    let anywhere = scene.dice.chance(12);
    let chains = scene.world.tops_of_chains();
    let device = scene.node(|node| (anywhere || node.is_top()) && chains.contains(&node.name))?;
    if scene.world.is_above_pending(&device) {
        return None;
    }
    let mut commit = start(scene).with("device", device.clone());
    let chain = chain(scene, &device);
    let mut from = 0;
    if scene.dice.chance(60) {
        let top = scene.dice.pick(&chain[..chain.len().saturating_sub(1)])?;
        from = chain.iter().position(|name| *name == top).unwrap_or(0);
        commit = commit.with("top-node", top);
    }
    if chain.get(from).is_some_and(|top| scene.world.cannot_be_covered(top)) {
        return None;
    }
    if scene.dice.chance(50) {
        let base = match scene.dice.chance(90) {
            true => scene.dice.pick(&chain[(from + 1).min(chain.len())..]),
            false => scene.node(|_| true),
        };
        commit = commit.with_some("base-node", base);
    }
    // What a node with another backing file than its image names is called depends on when QEMU
    // has looked last.
    let named = scene.by_header.contains(&device);
    for member in ["top", "base"] {
        if named && scene.dice.chance(10) {
            let files: Vec<String> =
                scene.images.iter().map(|image| image.filename.clone()).collect();
            commit = commit.with_some(member, scene.dice.pick(&files));
        }
    }
    if scene.dice.chance(3) {
        commit = commit.with("backing-file", "elsewhere.qcow2");
    }
    Some(commit.of("block-commit"))
}

/// A stream into anything that has a backing file, mostly.
pub(super) fn stream(scene: &mut Scene) -> Option<Value> {
    let is_fit = |node: &Node| node.backing().is_some() || node.driver == "blkdebug";
    let device = scene.node(|node| node.is_active && is_fit(node))?;
    if scene.world.is_above_pending(&device) {
        return None;
    }
    let chain = chain(scene, &device);
    let below = &chain[1.min(chain.len())..];
    let mut stream = start(scene).with("device", device.clone());
    match scene.dice.below(20) {
        0..=8 => {
            let base = match scene.dice.chance(96) {
                true => scene.dice.pick(below),
                false => scene.node(|_| true),
            };
            stream = stream.with_some("base-node", base);
        }
        9..=13 => {
            let bottom = match scene.dice.chance(96) {
                true => scene.dice.pick(below),
                false => scene.node(|_| true),
            };
            stream = stream.with_some("bottom", bottom);
        }
        // What a node with another backing file than its image names is called depends on when QEMU
        // has looked last.
        14 if scene.by_header.contains(&device) => {
            let files: Vec<String> =
                scene.images.iter().map(|image| image.filename.clone()).collect();
            stream = stream.with_some("base", scene.dice.pick(&files));
        }
        _ => {}
    }
    let dice = &mut scene.dice;
    if dice.chance(4) {
        stream = stream.with("backing-file", "elsewhere.qcow2");
    }
    if dice.chance(3) {
        stream = stream.with("backing-mask-protocol", true);
    }
    if dice.chance(3) {
        stream = stream.with("on-error", dice.weighted(&[(1, "report"), (1, "stop")]));
    }
    Some(stream.of("block-stream"))
}

/// A backup of anything to anything, mostly to what nobody uses.
pub(super) fn backup(scene: &mut Scene) -> Option<Value> {
    Some(backup_options(scene)?.of("blockdev-backup"))
}

/// The arguments of a backup.
pub(super) fn backup_options(scene: &mut Scene) -> Option<Arguments> {
    let device = scene.node(|node| node.driver != "file" && node.is_active)?;
    let target = target(scene, &device)?;
    if [&device, &target].into_iter().any(|node| scene.world.cannot_be_copied(node)) {
        return None;
    }
    const SYNC: &[(u32, &str)] = &[(10, "none"), (8, "full"), (6, "top"), (1, "bitmap")];
    let sync = scene.dice.weighted(SYNC);
    let mut backup = start(scene).with("device", device).with("target", target).with("sync", sync);
    let dice = &mut scene.dice;
    if dice.chance(8) {
        backup = backup.with("discard-source", dice.chance(80));
    }
    if dice.chance(5) {
        backup = backup.with("compress", dice.chance(80));
    }
    if dice.chance(4) {
        let (member, value) = dice.weighted(&[
            (2, ("min-cluster-size", 1 << 17)),
            (1, ("min-cluster-size", 3)),
            (1, ("max-chunk", 1)),
            (1, ("max-workers", 0)),
        ]);
        backup = backup.with("x-perf", json!({member: value}));
    }
    Some(backup)
}

/// A node to copy another to: mostly one as long that nobody uses. A backup into a qcow overlay of its
/// source waits for itself in QEMU.
fn target(scene: &mut Scene, source: &str) -> Option<String> {
    let length = scene.world.node(source).map(|node| node.length);
    let any = scene.dice.chance(20);
    let is_fit = |node: &Node| any || (node.is_spare() && Some(node.length) == length);
    let target = scene.node(|node| node.name != source && is_fit(node))?;
    let is_overlay = scene.world.is_above(&target, source);
    (!is_overlay || !scene.world.is_above_driver(&target, "qcow")).then_some(target)
}

/// The names of the nodes of a chain, from the top down.
fn chain(scene: &Scene, top: &str) -> Vec<String> {
    let Some(node) = scene.world.node(top) else { return Vec::new() };
    scene.world.chain(node).iter().map(|node| node.name.clone()).collect()
}

/// What every job is given.
fn start(scene: &mut Scene) -> Arguments {
    scene.has_changed_images = true;
    let jobs: Vec<String> = scene.world.jobs.iter().map(|job| job.id.clone()).collect();
    let mut job = Arguments::default();
    if scene.dice.chance(99) {
        let id = scene.name('j', &jobs);
        job = job.with("job-id", id);
    }
    if scene.dice.chance(50) {
        let taken = scene.node_names();
        let filter = scene.name('f', &taken);
        job = job.with("filter-node-name", filter);
    }
    let dice = &mut scene.dice;
    if dice.chance(2) {
        // A limit would only be waited for.
        job = job.with("speed", dice.weighted(&[(1, 0), (1, -1)]));
    }
    if dice.chance(40) {
        job = job.with("auto-finalize", dice.chance(15));
    }
    if dice.chance(35) {
        job = job.with("auto-dismiss", dice.chance(15));
    }
    job
}

/// Asks something of a job: mostly what its state allows.
pub(super) fn verb(scene: &mut Scene) -> Option<Value> {
    let jobs = scene.world.jobs.clone();
    let job = scene.dice.pick(&jobs)?;
    let verb = match (job.status.as_str(), scene.dice.chance(90)) {
        ("ready", true) => scene.dice.weighted(READY),
        ("running", true) => scene.dice.weighted(RUNNING),
        ("paused" | "standby", true) => scene.dice.weighted(PAUSED),
        ("pending", true) => scene.dice.weighted(PENDING),
        ("concluded", true) => Verb::Dismiss,
        _ => scene.dice.pick(ALL)?,
    };
    Some(verb.command(scene, &job.id))
}

/// Asks something of a job that does not exist.
pub(super) fn verb_of_nobody(scene: &mut Scene) -> Option<Value> {
    let verb = scene.dice.pick(ALL)?;
    Some(verb.command(scene, "nobody"))
}

/// What can be asked of a job.
#[derive(Clone, Copy)]
enum Verb {
    Complete,
    Cancel,
    CancelGracefully,
    Finalize,
    Dismiss,
    Pause,
    Resume,
    SetSpeed,
    Change,
}

use Verb::{
    Cancel, CancelGracefully, Change, Complete, Dismiss, Finalize, Pause, Resume, SetSpeed,
};

const ALL: &[Verb] =
    &[Complete, Cancel, CancelGracefully, Finalize, Dismiss, Pause, Resume, SetSpeed, Change];
const READY: &[(u32, Verb)] =
    &[(40, Complete), (12, Cancel), (12, CancelGracefully), (6, Pause), (1, SetSpeed), (2, Change)];
const RUNNING: &[(u32, Verb)] = &[(5, Cancel), (2, Pause)];
const PAUSED: &[(u32, Verb)] = &[(12, Resume), (4, Complete), (3, Cancel), (1, CancelGracefully)];
const PENDING: &[(u32, Verb)] = &[(12, Finalize), (4, Cancel), (2, CancelGracefully)];

impl Verb {
    /// The command: there are those of all jobs, and those of block jobs.
    fn command(self, scene: &mut Scene, job: &str) -> Value {
        let of_all = scene.dice.chance(60);
        let (command, member) = match (self, of_all) {
            (Complete, true) => ("job-complete", "id"),
            (Complete, false) => ("block-job-complete", "device"),
            (Cancel, true) => ("job-cancel", "id"),
            (Cancel, false) => {
                let arguments = json!({"device": job, "force": true});
                return json!({"execute": "block-job-cancel", "arguments": arguments});
            }
            (CancelGracefully, _) => ("block-job-cancel", "device"),
            (Finalize, true) => ("job-finalize", "id"),
            (Finalize, false) => ("block-job-finalize", "id"),
            (Dismiss, true) => ("job-dismiss", "id"),
            (Dismiss, false) => ("block-job-dismiss", "id"),
            (Pause, true) => ("job-pause", "id"),
            (Pause, false) => ("block-job-pause", "device"),
            (Resume, true) => ("job-resume", "id"),
            (Resume, false) => ("block-job-resume", "device"),
            (Change, _) => {
                let mode = scene.dice.weighted(&[(3, "write-blocking"), (1, "background")]);
                let arguments = json!({"id": job, "type": "mirror", "copy-mode": mode});
                return json!({"execute": "block-job-change", "arguments": arguments});
            }
            (SetSpeed, _) => {
                let speed = scene.dice.weighted(&[(3, 0), (1, -1), (1, 1_i64 << 40)]);
                let arguments = json!({"device": job, "speed": speed});
                return json!({"execute": "block-job-set-speed", "arguments": arguments});
            }
        };
        json!({"execute": command, "arguments": {member: job}})
    }
}
