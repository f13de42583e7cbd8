//! A client that says anything at all: bytes to a server, and what must hold of its answers.

use std::time::Duration;

use blkperm_graph::Rule;
use blkperm_jobs::{Abort, Completion};
use blkperm_qmp::Monitor;
use blkperm_qmp::command::Command;
use blkperm_qmp::image::{DeclaredImages, ImageFormat, ImageStore};
use blkperm_qmp::json::Reader;
use blkperm_qmp::monitor::Failed;
use blkperm_qmp::scenario::{Backing, Image};
use blkperm_qmp::server::{AtAbort, Engine, Layout, Server};
use blkperm_qmp::transcript::Event;
use serde_json::{Value, json};

/// Says the bytes to a fresh server with QEMU's rule, and to one with the proposed rule; the first
/// client has negotiated nothing yet.
///
/// # Panics
///
/// When the server does, answers with anything but QMP, answers one message twice or not at all,
/// or has a graph of which an invariant does not hold.
pub fn say(bytes: &[u8]) {
    say_to(blkperm_baseline::Baseline, Completion::Stepwise, b"", bytes);
    let negotiated = b"{'execute': 'qmp_capabilities'}";
    say_to(blkperm_ownership::Ownership::default(), Completion::Atomic, negotiated, bytes);
}

fn say_to<R>(rule: R, completion: Completion, first: &[u8], bytes: &[u8])
where
    R: Rule + Send + 'static,
    R::Hold: Send,
    R::Tally: Send,
{
    let engine = Checked(Monitor::new(rule, completion, images()));
    let mut server = Server::new(engine, AtAbort::GoOn, || Duration::ZERO);
    let monitor = server.add_monitor(Layout::Plain);
    server.connect(monitor);
    let greeting = messages(&server.take_output(monitor));
    assert!(greeting.len() == 1 && greeting[0]["QMP"].is_object(), "{greeting:?}");
    let mut reader = Reader::new();
    for bytes in [first, bytes] {
        for item in reader.feed(bytes) {
            let is_over = server.is_over();
            server.receive(monitor, item).expect("the server goes on");
            let messages = messages(&server.take_output(monitor));
            let is_reply = |message: &&Value| message.get("event").is_none();
            let replies: Vec<&Value> = messages.iter().filter(is_reply).collect();
            assert_eq!(replies.len(), usize::from(!is_over), "{messages:?}");
            let is_qmp = |reply: &&Value| {
                let (value, error) = (reply.get("return"), reply.get("error"));
                let is_error =
                    error.is_some_and(|e| e["class"].is_string() && e["desc"].is_string());
                value.is_some() != is_error
            };
            assert!(replies.iter().all(is_qmp), "{messages:?}");
        }
    }
}

fn messages(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).expect("a server writes UTF-8");
    let message =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(message).collect()
}

/// A chain `base.qcow2 <- mid.qcow2 <- top.qcow2`, and others beside it.
fn images() -> DeclaredImages {
    let mut images = DeclaredImages::default();
    let mut create = |filename: &str, format, backing: Option<&str>| {
        let backing = backing.map(|name| Backing { filename: name.to_owned(), format });
        let image = Image { backing, ..Image::new(filename, format, Some(1 << 20)) };
        images.create(&image).expect("its backing file is there");
    };
    create("base.qcow2", ImageFormat::Qcow2, None);
    create("mid.qcow2", ImageFormat::Qcow2, Some("base.qcow2"));
    create("top.qcow2", ImageFormat::Qcow2, Some("mid.qcow2"));
    create("src.qcow2", ImageFormat::Qcow2, Some("base.qcow2"));
    create("tgt.qcow2", ImageFormat::Qcow2, None);
    create("raw.img", ImageFormat::Raw, None);
    images
}

/// A monitor whose graph is checked after all that it does.
struct Checked<R: Rule>(Monitor<R>);

impl<R: Rule> Checked<R> {
    fn check(&mut self) {
        let checked = self.0.layer_mut().graph.check_invariants();
        checked.unwrap_or_else(|fault| panic!("{fault}"));
    }
}

impl<R: Rule> Engine for Checked<R> {
    fn execute(&mut self, command: &Command) -> Result<Value, Failed> {
        let result = self.0.execute(command);
        self.check();
        result
    }

    fn run_jobs(&mut self) -> Result<(), Abort> {
        let result = self.0.run_jobs();
        self.check();
        result
    }

    fn shut_down(&mut self) -> Result<(), Abort> {
        let result = self.0.shut_down();
        self.check();
        result
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.0.take_events()
    }
}

/// What a scenario's commands are as bytes; its images are left out.
///
/// # Panics
///
/// When a line is neither JSON nor a comment.
pub fn bytes_of(scenario: &str) -> Vec<u8> {
    let mut bytes = format!("{}\n", json!({"execute": "qmp_capabilities"})).into_bytes();
    for line in scenario.lines().filter(|line| line.starts_with('{')) {
        let value: Value = serde_json::from_str(line).expect("a line is JSON");
        if value.get("execute").is_some() {
            bytes.extend_from_slice(format!("{value}\n").as_bytes());
        }
    }
    bytes
}
