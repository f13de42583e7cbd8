//! Processes that speak QMP, and clients of theirs.

use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Only a guard against hangs: nothing that works takes as long.
pub(crate) const GUARD: Duration = Duration::from_secs(120);

/// QMP over standard input and output, for `--chardev` and `--monitor`.
pub(crate) const STDIO: [&str; 4] = ["--chardev", "stdio,id=m", "--monitor", "m"];

pub(crate) const CAPABILITIES: &str = "{\"execute\": \"qmp_capabilities\"}";

/// A process in a directory; it does not outlive this.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    errors: PathBuf,
}

impl Process {
    /// Starts the program under test.
    pub(crate) fn serve(directory: &Path, arguments: &[&str]) -> Process {
        let all = [&["serve"], arguments].concat();
        Process::start(env!("CARGO_BIN_EXE_blkperm").as_ref(), directory, &all)
    }

    pub(crate) fn start(program: &OsStr, directory: &Path, arguments: &[&str]) -> Process {
        let name = Path::new(program).file_name().unwrap().to_string_lossy().into_owned();
        let errors = directory.join(format!("{name}.stderr"));
        let mut child = Command::new(program)
            .arg0(name)
            .args(arguments)
            .current_dir(directory)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            loop {
                let mut line = Vec::new();
                let length = stdout.read_until(b'\n', &mut line).unwrap_or_default();
                if length == 0 || sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Process { child, stdin, lines, errors }
    }

    /// The process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says something; a process that has died does not listen.
    pub(crate) fn say(&mut self, text: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        let _ = stdin.write_all(text).and_then(|()| stdin.flush());
    }

    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// The next line; none when no more will come.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(GUARD) {
            Ok(line) => Some(String::from_utf8(line).unwrap()),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no answer; {}", self.errors()),
        }
    }

    /// The next message.
    pub(crate) fn hear(&mut self) -> Value {
        let line = self.line().unwrap_or_else(|| panic!("it has ended; {}", self.errors()));
        serde_json::from_str(&line).unwrap()
    }

    /// Says something, and hears the next message that is no event.
    pub(crate) fn ask(&mut self, text: &str) -> Value {
        self.say(text.as_bytes());
        loop {
            let message = self.hear();
            if message.get("event").is_none() {
                return message;
            }
        }
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < GUARD, "it does not end; {}", self.errors());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it said on standard error.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of a Unix socket.
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects as soon as somebody listens.
    pub(crate) fn connect(path: &Path) -> Client {
        let start = Instant::now();
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(GUARD)).unwrap();
                    return Client(BufReader::new(stream));
                }
                Err(error) => assert!(start.elapsed() < GUARD, "{error}"),
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Connects and negotiates.
    pub(crate) fn negotiate(path: &Path) -> Client {
        let mut client = Client::connect(path);
        assert!(client.hear()["QMP"].is_object());
        assert_eq!(client.ask(CAPABILITIES)["return"], serde_json::json!({}));
        client
    }

    pub(crate) fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }

    pub(crate) fn say(&mut self, text: &[u8]) {
        self.0.get_mut().write_all(text).unwrap();
    }

    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line)
    }

    pub(crate) fn hear(&mut self) -> Value {
        serde_json::from_str(&self.line().unwrap()).unwrap()
    }

    pub(crate) fn ask(&mut self, text: &str) -> Value {
        self.say(text.as_bytes());
        self.hear()
    }

    /// All that comes until the other side hangs up.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = String::new();
        // A reset is as good an end as any.
        let _ = self.0.read_to_string(&mut text);
        text
    }
}

pub(crate) fn directory() -> TempDir {
    tempfile::Builder::new().prefix("blkperm-serve-").tempdir().unwrap()
}
