//! What it costs to explain and to draw a graph of about 1,000 nodes, from a QEMU's answers on.
//!
//! `disks` are 143 disks on a backing chain each, all being committed; `pool` are the same on one base
//! that they share; `chain` is one disk on a long backing chain, being committed. Explaining is all that `blkperm
//! explain` does but for the printing: reading the answers, building the graph and all that it may be
//! instead, who holds what, and what would become of each job in each of its ways.
//!
//! ```text
//! cargo bench -p blkperm-benches --bench explain
//! ```

use std::time::Duration;

use blkperm_baseline::Baseline;
use blkperm_draw::{Picture, svg};
use blkperm_explain::{Replies, Survey, endings, foresee, gather, who};
use blkperm_jobs::Completion;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::image::ImageFormat;
use blkperm_qmp::play::Endpoint;
use blkperm_qmp::scenario::Image;
use blkperm_qmp::transcript::Reply;
use criterion::Criterion;
use serde_json::{Value, json};

/// A storage daemon, in this process.
struct Daemon(MonitorEndpoint<Baseline>);

impl Daemon {
    fn new() -> Daemon {
        let mut daemon = Daemon(MonitorEndpoint::new(Baseline, Completion::Stepwise));
        daemon.0.monitor().layer_mut().set_tells_pauses(false);
        let address = json!({"type": "unix", "data": {"path": "socket"}});
        daemon.call("nbd-server-start", json!({ "addr": address }));
        daemon
    }

    fn call(&mut self, command: &str, arguments: Value) -> Value {
        let reply = self.0.execute(&json!({"execute": command, "arguments": arguments}));
        self.0.settle().expect("nothing aborts");
        match reply {
            Ok(Reply::Return(value)) => value,
            reply => panic!("{command}: {reply:?}"),
        }
    }

    fn add_image(&mut self, name: &str, backing: Value) {
        let new = Image::new(name, ImageFormat::Qcow2, Some(1 << 20));
        self.0.create_image(&new).expect("the image is new");
        let file = json!({"driver": "file", "filename": name});
        let options =
            json!({"driver": "qcow2", "node-name": name, "file": file, "backing": backing});
        self.call("blockdev-add", options);
    }

    /// Adds so many images on top of each other and of `base`, an export of the last one, and a job that
    /// commits all into the first.
    fn add_disk(&mut self, disk: usize, images: usize, base: Value) {
        let name = |image: usize| format!("disk{disk}-{image}");
        let mut below = base;
        for image in 0..images {
            self.add_image(&name(image), below);
            below = json!(name(image));
        }
        let export = json!({"type": "nbd", "id": below, "node-name": below, "writable": true});
        self.call("block-export-add", export);
        let job = format!("job{disk}");
        self.call("block-commit", json!({"job-id": job, "device": below, "base-node": name(0)}));
    }

    /// What it answers to the queries, as text.
    fn answers(mut self) -> Vec<u8> {
        let mut answers = Vec::new();
        let asked = gather(|query, arguments| {
            let reply = json!({"return": self.call(query, arguments)});
            answers.extend(reply.to_string().into_bytes());
            answers.push(b'\n');
            Ok(reply)
        });
        asked.expect("the answers can be used");
        answers
    }
}

fn disks() -> Vec<u8> {
    let mut daemon = Daemon::new();
    (0..143).for_each(|disk| daemon.add_disk(disk, 3, Value::Null));
    daemon.answers()
}

fn pool() -> Vec<u8> {
    let mut daemon = Daemon::new();
    daemon.add_image("pool", Value::Null);
    (0..143).for_each(|disk| daemon.add_disk(disk, 3, json!("pool")));
    daemon.answers()
}

fn chain() -> Vec<u8> {
    let mut daemon = Daemon::new();
    daemon.add_disk(0, 500, Value::Null);
    daemon.answers()
}

/// Explains a graph; says how many ends of jobs nothing is in the way of.
fn explain(answers: &[u8]) -> usize {
    let mut replies = Replies::default();
    replies.read(answers).expect("these are answers");
    let survey = Survey::of(&replies).expect("they make a graph");
    let built = survey.build(Baseline, Completion::Stepwise).expect("QEMU had it");
    let monitor = built.monitor;
    assert!(survey.unexplained().is_empty() && !who(&monitor.layer().graph).is_empty());
    let endings = endings(&monitor);
    for doubt in survey.build_doubtful(&Baseline, Completion::Stepwise) {
        foresee(&doubt.monitor, &endings);
    }
    foresee(&monitor, &endings).iter().filter(|fate| fate.is_done()).count()
}

/// Draws a graph; gives the length of the picture in bytes.
fn draw(answers: &[u8]) -> usize {
    let mut replies = Replies::default();
    replies.read(answers).expect("these are answers");
    let survey = Survey::of(&replies).expect("they make a graph");
    let built = survey.build(Baseline, Completion::Stepwise).expect("QEMU had it");
    svg::document(&Picture::of(&built.monitor.layer().graph), "a graph").len()
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3))
        .sample_size(10)
        .configure_from_args();
    for (name, answers) in [("disks", disks()), ("pool", pool()), ("chain", chain())] {
        criterion.bench_function(&format!("explain/{name}"), |it| it.iter(|| explain(&answers)));
        criterion.bench_function(&format!("draw/{name}"), |it| it.iter(|| draw(&answers)));
    }
    criterion.final_summary();
}
