//! A real `qemu-storage-daemon` as an endpoint.

use crate::connection::Connection;
use crate::process::{self, Process};
use crate::settling::{Motion, OnDemand, QUIET, QUIET_LOOKS, motion};
use crate::template::Template;
use crate::{Error, Programs, Version, death};
use blkperm_qmp::play::{Endpoint, EndpointError, Stop};
use blkperm_qmp::scenario::Image;
use blkperm_qmp::transcript::{Death, Event, Job, Reply};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take, unless [`Daemon::start_with_patience`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long an image may take to be made, at least: an encrypted one takes seconds of a processor,
/// which a busy machine does not have.
const PATIENCE_WITH_IMAGES: Duration = Duration::from_secs(60);

/// A running `qemu-storage-daemon` in a temporary directory of its own, with real images.
///
/// Both the process and the directory end with this value.
#[derive(Debug)]
pub struct Daemon {
    // In the order in which they are dropped: the directory must outlive the process.
    process: Process,
    connection: Connection,
    fate: Fate,
    /// The jobs when all had settled, until the next command.
    settled: Option<Value>,
    on_demand: OnDemand,
    version: Version,
    programs: Programs,
    patience: Duration,
    directory: TempDir,
}

#[derive(Debug)]
enum Fate {
    Alive,
    Died(Death),
    Killed,
}

impl Daemon {
    /// Starts a daemon.
    ///
    /// # Errors
    ///
    /// Fails when it does not start, or does not greet as QMP does.
    pub fn start(programs: &Programs) -> Result<Daemon, Error> {
        Daemon::start_with_patience(programs, PATIENCE)
    }

    /// Starts a daemon that is killed when one command, or the jobs that follow from it, take
    /// longer than `patience`.
    ///
    /// # Errors
    ///
    /// As [`Daemon::start`].
    pub fn start_with_patience(programs: &Programs, patience: Duration) -> Result<Daemon, Error> {
        Daemon::start_with_arguments(programs, &[], patience)
    }

    /// [`Daemon::start_with_patience`] with arguments that come before all others, for a program
    /// that stands in for the daemon when told so.
    ///
    /// # Errors
    ///
    /// As [`Daemon::start`].
    pub fn start_with_arguments(
        programs: &Programs,
        arguments: &[&str],
        patience: Duration,
    ) -> Result<Daemon, Error> {
        let directory = tempfile::Builder::new().prefix("blkperm-").tempdir();
        let directory = directory.map_err(Error::io("make a temporary directory"))?;
        let images = images(directory.path());
        fs::create_dir(&images).map_err(Error::io("make a directory for images"))?;
        let errors = File::create(errors(directory.path())).map_err(Error::io("make a file"))?;

        let monitor = ["--chardev", "stdio,id=qmp", "--monitor", "chardev=qmp"];
        let arguments = [arguments, &monitor].concat();
        let (process, socket) =
            Process::start(&programs.daemon, &arguments, &images, Some(errors))?;
        let mut connection = Connection::new(socket, patience, &images.to_string_lossy());
        let greeting = connection.greeting()?;
        let Some(version) = greeting.as_ref().and_then(Version::from_greeting) else {
            let said = fs::read_to_string(self::errors(directory.path())).unwrap_or_default();
            let said = greeting.map_or(said, |greeting| greeting.to_string());
            let (program, said) = (programs.daemon.clone(), said.trim().to_owned());
            return Err(Error::NoGreeting { program, said });
        };
        let (fate, programs) = (Fate::Alive, programs.clone());
        let mut daemon = Daemon {
            process,
            connection,
            fate,
            settled: None,
            on_demand: OnDemand::default(),
            version,
            programs,
            patience,
            directory,
        };
        let capabilities = json!({"execute": "qmp_capabilities"});
        match daemon.connection.call(&capabilities)? {
            Some(Reply::Return(_)) => Ok(daemon),
            reply => Err(Error::NotQmp { text: format!("{reply:?}"), source: None }),
        }
    }

    /// QEMU's version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The directory of the images, in which the daemon runs.
    pub fn directory(&self) -> PathBuf {
        images(self.directory.path())
    }

    /// Carries out a command.
    fn call(&mut self, command: &Value) -> Result<Reply, Stop> {
        self.talk(|connection| connection.call(command))
    }

    /// Talks to a daemon that is alive; a death is remembered, an error ends the daemon.
    fn talk<T>(
        &mut self,
        talk: impl FnOnce(&mut Connection) -> Result<Option<T>, Error>,
    ) -> Result<T, Stop> {
        match &self.fate {
            Fate::Alive => {}
            Fate::Died(death) => return Err(Stop::Died(death.clone())),
            Fate::Killed => return Err(Error::Killed.into()),
        }
        let answer = talk(&mut self.connection);
        match answer.and_then(|answer| answer.map_or_else(|| self.die().map(Err), |a| Ok(Ok(a)))) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(death)) => {
                self.fate = Fate::Died(death.clone());
                Err(Stop::Died(death))
            }
            Err(error) => Err(self.kill(error)),
        }
    }

    /// Collects what a daemon that has closed the connection leaves behind.
    fn die(&mut self) -> Result<Death, Error> {
        self.connection.drain()?;
        let status = self.process.end(self.patience)?;
        let errors = fs::read(errors(self.directory.path()));
        let errors = errors.map_err(Error::io("read what the daemon said last"))?;
        let errors = String::from_utf8_lossy(&errors);
        let directory = format!("{}/", self.directory().display());
        let program = self.programs.daemon.file_name().unwrap_or_default().to_string_lossy();
        Ok(death::death(status, &errors.replace(&directory, ""), &program))
    }

    fn kill(&mut self, error: Error) -> Stop {
        self.process.kill();
        self.fate = Fate::Killed;
        error.into()
    }

    /// What may move by itself: the jobs, what else is known of those that are block jobs, the
    /// exports. The daemon reads a command byte by byte, so what need not be asked is not.
    fn movable(&mut self) -> Result<[Value; 3], Stop> {
        let jobs = self.query("query-jobs")?;
        let block_jobs = match jobs.as_array() {
            Some(jobs) if jobs.is_empty() => Value::Array(Vec::new()),
            _ => self.query("query-block-jobs")?,
        };
        Ok([jobs, block_jobs, self.query("query-block-exports")?])
    }

    /// Learns what a command says of the jobs that it has started.
    fn learn(&mut self, command: &Value, reply: &Reply) {
        if let Reply::Return(_) = reply {
            self.on_demand.learn(command);
        }
    }

    fn query(&mut self, query: &str) -> Result<Value, Stop> {
        match self.call(&json!({"execute": query}))? {
            Reply::Return(value) => Ok(value),
            reply => Err(Error::NotQmp { text: reply.to_string(), source: None }.into()),
        }
    }
}

impl Endpoint for Daemon {
    fn create_image(&mut self, image: &Image) -> Result<(), EndpointError> {
        let directory = self.directory();
        if let Some(template) = Template::known(&self.programs.img, image, &directory) {
            return Ok(template.make(&directory.join(&image.filename))?);
        }
        let arguments = image.qemu_img_arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let patience = self.patience.max(PATIENCE_WITH_IMAGES);
        let (status, message) = process::run(&self.programs.img, &arguments, &directory, patience)?;
        if !status.success() {
            return Err(Error::Image { filename: image.filename.clone(), message }.into());
        }
        Ok(Template::learn(&self.programs.img, image, &directory)?)
    }

    fn execute(&mut self, command: &Value) -> Result<Reply, Stop> {
        self.settled = None;
        let reply = self.call(command)?;
        self.learn(command, &reply);
        Ok(reply)
    }

    fn execute_all(&mut self, commands: &[Value]) -> Result<Vec<Reply>, Stop> {
        self.settled = None;
        let replies = self.talk(|connection| connection.call_all(commands))?;
        commands.iter().zip(&replies).for_each(|(command, reply)| self.learn(command, reply));
        Ok(replies)
    }

    fn settle(&mut self) -> Result<(), Stop> {
        let start = Instant::now();
        let mut before = ([Value::Null, Value::Null, Value::Null], 0);
        let (mut since, mut looks) = (start, 0);
        loop {
            let now = (self.movable()?, self.process.written());
            let [jobs, block_jobs, exports] = &now.0;
            let motion = motion(&self.on_demand, jobs, block_jobs, exports);
            if now != before {
                (before, since, looks) = (now, Instant::now(), 0);
            }
            if motion == Motion::Still {
                break;
            }
            let may_be_still = motion == Motion::Perhaps && !self.process.waits_for_disk();
            looks += u32::from(may_be_still);
            if may_be_still && looks >= QUIET_LOOKS && since.elapsed() >= QUIET {
                break;
            }
            if start.elapsed() >= self.patience {
                let ([jobs, block_jobs, _], _) = &before;
                let jobs = format!("{block_jobs}, {jobs}");
                let after = self.patience;
                return Err(self.kill(Error::Unsettled { jobs, after }));
            }
            // Only to leave the processor to the daemon; nothing depends on how long.
            thread::sleep(Duration::from_millis(1));
        }
        let ([jobs, ..], _) = before;
        self.settled = Some(jobs);
        Ok(())
    }

    fn jobs(&mut self) -> Result<Vec<Job>, Stop> {
        let jobs = self.settled.take().map_or_else(|| self.query("query-jobs"), Ok)?;
        Ok(Vec::<Job>::deserialize(&jobs)?)
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.connection.take_events()
    }
}

/// The daemon runs in a directory below the temporary one, so that no image can be called as the
/// file of its standard error.
fn images(directory: &Path) -> PathBuf {
    directory.join("images")
}

fn errors(directory: &Path) -> PathBuf {
    directory.join("stderr")
}
