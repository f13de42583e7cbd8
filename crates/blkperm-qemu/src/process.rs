//! A child process that cannot outlive us.

use crate::Error;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{
    fs::{self, File},
    thread,
};

/// A running program, killed when dropped, whose standard input and output are one socket: unlike
/// pipes, a socket has deadlines.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts `program` in `directory`; its standard error goes to `errors`, or to the socket.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        directory: &Path,
        errors: Option<File>,
    ) -> Result<(Process, UnixStream), Error> {
        let start = || {
            let (ours, theirs) = UnixStream::pair()?;
            let errors = match errors {
                Some(file) => Stdio::from(file),
                None => socket(&theirs)?,
            };
            let child = Command::new(program)
                .args(arguments)
                .current_dir(directory)
                // The reasons of failing system calls come in the user's language otherwise.
                .env("LC_ALL", "C")
                .stdin(socket(&theirs)?)
                .stdout(socket(&theirs)?)
                .stderr(errors)
                .spawn()?;
            Ok((Process(child), ours))
        };
        start().map_err(|source| Error::Start { program: program.to_owned(), source })
    }

    /// Waits for the end of a program that has closed its output, so that it ends any moment.
    pub(crate) fn end(&mut self, patience: Duration) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + patience;
        loop {
            match self.0.try_wait().map_err(Error::io("wait for the program"))? {
                Some(status) => return Ok(status),
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                None => {
                    self.kill();
                    let what = "the end of the program".to_owned();
                    return Err(Error::Timeout { what, after: patience });
                }
            }
        }
    }

    /// Whether a thread of the program waits for a disk; not known, and so false, where there is no
    /// `/proc`.
    ///
    /// The kernel tells of each thread one letter. `R` is one that runs or waits for the processor,
    /// `S` one that sleeps until something wakes it, `D` one that nothing can wake but what it waits
    /// for, mostly a disk. Only `D` says that there is work under way which is going to end: a thread
    /// that tries the same again for ever is `R`, too, and one that waits for a timer is `S`.
    pub(crate) fn waits_for_disk(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id()));
        let mut states = threads.into_iter().flatten().flatten().filter_map(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
            state(&stat)
        });
        states.any(|state| state == 'D')
    }

    /// How many bytes the program has written to files so far; not known, and so 0, where there is
    /// no `/proc`. A job that copies says how far it is only now and then, but writes all the time.
    pub(crate) fn written(&self) -> u64 {
        written(&fs::read_to_string(format!("/proc/{}/io", self.0.id())).unwrap_or_default())
    }

    /// Kills the program if it still runs.
    pub(crate) fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The letter of a thread's state in what its `stat` says.
fn state(stat: &str) -> Option<char> {
    // The state follows the name, which stands in brackets and may contain anything.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// How many bytes went to files by what the `io` of a program says.
fn written(io: &str) -> u64 {
    let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

/// Runs a program to its end; gives its status, and all that it wrote.
pub(crate) fn run(
    program: &Path,
    arguments: &[&str],
    directory: &Path,
    patience: Duration,
) -> Result<(ExitStatus, String), Error> {
    let (mut process, mut output) = Process::start(program, arguments, directory, None)?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Error::Timeout { what: format!("'{}'", program.display()), after: patience }
        }
        _ => Error::Io { what: format!("read from '{}'", program.display()), source },
    };
    output.set_read_timeout(Some(patience)).map_err(failed)?;
    let mut text = Vec::new();
    output.read_to_end(&mut text).map_err(failed)?;
    let status = process.end(patience)?;
    Ok((status, String::from_utf8_lossy(&text).trim().to_owned()))
}

fn socket(end: &UnixStream) -> io::Result<Stdio> {
    Ok(Stdio::from(OwnedFd::from(end.try_clone()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_the_last_bracket_of_a_name() {
        assert_eq!(state("7 (worker) D 1 7 7 0"), Some('D'));
        assert_eq!(state("7 (D) S (x) R 1 7 7 0"), Some('R'));
        assert_eq!(state(""), None);
    }

    #[test]
    fn what_was_written_to_files_is_not_what_was_said() {
        let io = "rchar: 9\nwchar: 71\nsyscr: 4\nsyscw: 3\nread_bytes: 0\nwrite_bytes: 8192\n\
                  cancelled_write_bytes: 0\n";
        assert_eq!(written(io), 8192);
        assert_eq!(written(""), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_that_goes_round_for_ever_waits_for_no_disk() {
        let arguments = ["-c", "echo; while :; do :; done"];
        let started = Process::start(Path::new("/bin/sh"), &arguments, Path::new("/"), None);
        let (process, mut output) = started.unwrap();
        // From its first word on it only runs.
        output.read_exact(&mut [0]).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.0.id())).unwrap();
        assert_eq!(state(&stat), Some('R'));
        assert!((0..100).all(|_| !process.waits_for_disk()));
    }
}
