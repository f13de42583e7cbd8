//! A `qemu-system-x86_64` with two disks on backing chains, a mirror at work, and an NBD export.
//!
//! What it answers is recorded in `qemu-system.json` beside this file, by
//!
//! ```text
//! BLKPERM_RECORD=1 cargo test -p blkperm-explain --test live -- system
//! ```

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use blkperm_explain::{Address, Replies, ask, endings, gather, who};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{explained, installed};

const PROGRAM: &str = "qemu-system-x86_64";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running QEMU, killed when dropped.
struct Machine {
    process: Child,
    directory: TempDir,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    /// A machine that does not run, with the disks `d0` and `d1`; none where there is no such QEMU.
    fn start() -> Option<Machine> {
        installed(Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status())?;
        let directory = tempfile::tempdir().unwrap();
        for disk in ["d0", "d1"] {
            let backing = format!("{disk}-base.qcow2");
            create(directory.path(), &[&backing, "1M"]);
            create(directory.path(), &["-b", &backing, "-F", "qcow2", &format!("{disk}.qcow2")]);
        }
        create(directory.path(), &["target.qcow2", "1M"]);
        let mut command = Command::new(PROGRAM);
        command.args(["-S", "-display", "none", "-nodefaults", "-machine", "q35"]);
        command.args(["-qmp", "unix:qmp,server=on,wait=off"]);
        for (disk, device) in
            [("d0", "virtio-blk-pci,drive=d0,id=disk0"), ("d1", "virtio-blk-pci,drive=d1")]
        {
            let file = format!(
                "driver=qcow2,node-name={disk},file.driver=file,file.filename={disk}.qcow2"
            );
            command.args(["-blockdev", &file, "-device", device]);
        }
        let process = command.current_dir(directory.path()).stdin(Stdio::null()).spawn().unwrap();
        Some(Machine { process, directory })
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("qmp")
    }
}

/// A session with a monitor.
struct Session {
    socket: UnixStream,
    lines: Lines<BufReader<UnixStream>>,
    /// Whether a job was ready.
    ready: bool,
}

impl Session {
    /// Connects to a QEMU that was started just now.
    fn start(path: &Path) -> Session {
        let start = Instant::now();
        let socket = loop {
            match UnixStream::connect(path) {
                Ok(socket) => break socket,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
            // Only to leave the processor to QEMU; nothing depends on how long.
            thread::sleep(Duration::from_millis(10));
        };
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let mut session = Session { socket, lines, ready: false };
        session.line();
        session.call(&json!({"execute": "qmp_capabilities"}));
        session
    }

    fn line(&mut self) -> String {
        let line = self.lines.next().unwrap().unwrap();
        self.ready |= line.contains("BLOCK_JOB_READY");
        line
    }

    /// Carries out a command; gives the line of the reply.
    fn call(&mut self, command: &Value) -> String {
        self.socket.write_all(format!("{command}\n").as_bytes()).unwrap();
        loop {
            let line = self.line();
            let message: Value = serde_json::from_str(&line).unwrap();
            if message.get("event").is_none() {
                assert!(message.get("return").is_some(), "{command}: {line}");
                return line;
            }
        }
    }
}

fn create(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2"]).args(arguments).current_dir(directory);
    assert!(command.status().unwrap().success(), "{arguments:?}");
}

fn commands() -> [Value; 4] {
    let command = |name: &str, arguments: Value| json!({"execute": name, "arguments": arguments});
    let file = json!({"driver": "file", "filename": "target.qcow2"});
    let server = json!({"addr": {"type": "unix", "data": {"path": "nbd"}}});
    [
        command("blockdev-add", json!({"driver": "qcow2", "node-name": "target", "file": file})),
        command(
            "blockdev-mirror",
            json!({"device": "d0", "target": "target", "sync": "full", "job-id": "j0"}),
        ),
        command("nbd-server-start", server),
        command("block-export-add", json!({"type": "nbd", "id": "e0", "node-name": "d1"})),
    ]
}

/// What is made of the machine's answers: all is explained, and the holders are these.
fn check(replies: &Replies) {
    let (monitor, _) = explained(replies, &PROGRAM);
    let graph = &monitor.layer().graph;
    let holders = graph.roots().into_iter().flat_map(|root| graph.children(root));
    let mut holders: Vec<String> =
        holders.map(|edge| graph.parent_name(edge).to_string()).collect();
    holders.sort();
    holders.dedup();
    let expected = [
        "device '/machine/peripheral-anon/device[0]'",
        "device 'disk0'",
        "export 'e0'",
        "mirror job 'j0'",
        "mirror job 'j0' writing its target",
    ];
    assert_eq!(holders, expected);
    let target = who(graph).into_iter().find(|held| held.node == "target").unwrap();
    assert_eq!(target.taken[1], ["mirror job 'j0' writing its target"]);
    assert!(endings(&monitor).iter().all(|end| end.play(&mut monitor.clone()).is_done()));
}

#[test]
fn a_system_with_two_disks_a_mirror_and_an_export_is_explained() {
    let Some(machine) = Machine::start() else { return };
    let mut session = Session::start(&machine.socket());
    commands().iter().for_each(|command| drop(session.call(command)));
    while !session.ready {
        session.line();
    }
    drop(session);
    let address = Address::Unix(machine.socket().display().to_string());
    check(&ask(&address, PATIENCE).unwrap());
    if env::var_os("BLKPERM_RECORD").is_some() {
        record(&mut Session::start(&machine.socket()));
    }
}

fn record(session: &mut Session) {
    let mut recorded = String::new();
    let ask = |query: &'static str, arguments: Value| {
        let line = session.call(&json!({"execute": query, "arguments": arguments}));
        recorded.push_str(&format!("{line}\n"));
        Ok(serde_json::from_str(&line).unwrap())
    };
    gather(ask).unwrap();
    fs::write(recording(), recorded).unwrap();
}

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/qemu-system.json")
}

#[test]
fn the_recorded_answers_of_a_system_are_explained() {
    let mut replies = Replies::default();
    replies.read(&fs::read(recording()).unwrap()).unwrap();
    assert!(replies.missing().is_empty(), "{:?}", replies.missing());
    check(&replies);
}
