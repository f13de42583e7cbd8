//! Follows the options, in the order in which they were given.

use super::chardev::{self, Backend, Chardev, Listener};
use super::command_line::{Given, Name};
use super::error::{OptionFault, ServeError, die, report};
use super::object::Object;
use super::options::{MonitorMode, MonitorOptions, Written};
use super::pid_file::PidFile;
use super::turns::Turns;
use crate::registry::{CompletionName, RuleName, WithRule, with_rule};
use blkperm_graph::Rule;
use blkperm_jobs::Completion;
use blkperm_qmp::command::nbd::NbdServerOptions;
use blkperm_qmp::image::Directory;
use blkperm_qmp::server::{AtAbort, Layout, MonitorId, Server};
use blkperm_qmp::{Command, Monitor};
use clap::ValueEnum;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

/// What is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    rule: RuleName,
    completion: CompletionName,
}

impl Setting {
    /// The setting that the options ask for; QEMU's where they ask for none, and the last where
    /// they ask for several.
    pub(super) fn of(given: &[Given]) -> Result<Setting, ServeError> {
        let (mut rule, mut completion) = (RuleName::Baseline, CompletionName::Stepwise);
        for option in given {
            match option.name {
                Name::Rule => rule = word(option)?,
                Name::Completion => completion = word(option)?,
                Name::Trace | Name::Daemonize => return Err(refused(option, unsupported(option))),
                _ => {}
            }
        }
        Ok(Setting { rule, completion })
    }

    /// Only what is QEMU's in all dies as QEMU does.
    fn at_abort(self) -> AtAbort {
        match (self.rule, self.completion) {
            (RuleName::Baseline, CompletionName::Stepwise) => AtAbort::Die,
            _ => AtAbort::GoOn,
        }
    }
}

fn word<T: ValueEnum>(option: &Given) -> Result<T, ServeError> {
    T::from_str(&option.argument, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<_> = names.map(|name| name.get_name().to_owned()).collect();
        let (given, known) = (option.argument.clone(), names.join(", "));
        refused(option, OptionFault::NoSuchWord { given, known })
    })
}

fn unsupported(option: &Given) -> OptionFault {
    let (what, remedy) = match option.name {
        Name::Daemonize => ("going to the background", "let what starts it put it there"),
        _ => ("tracing", "leave it out: replies and events tell what happens"),
    };
    OptionFault::Unsupported { what: what.to_owned(), remedy }
}

fn refused(option: &Given, fault: OptionFault) -> ServeError {
    ServeError::Option { written: option.written.clone(), fault }
}

/// A server that is being put together.
pub(super) struct Startup {
    server: Server,
    chardevs: Vec<Chardev>,
    monitors: Vec<(MonitorId, Backend)>,
    objects: Vec<String>,
    pid_file: Option<String>,
    /// The sockets to be removed in the end.
    sockets: Vec<PathBuf>,
}

impl Startup {
    /// A server with neither nodes nor monitors, which finds its images where it was started.
    pub(super) fn new(setting: Setting) -> Startup {
        Startup {
            server: with_rule(setting.rule, MakeServer(setting)),
            chardevs: Vec::new(),
            monitors: Vec::new(),
            objects: Vec::new(),
            pid_file: None,
            sockets: Vec::new(),
        }
    }

    /// Follows one option.
    pub(super) fn follow(&mut self, option: &Given) -> Result<(), ServeError> {
        self.try_follow(option).map_err(|fault| {
            let death = match &fault {
                OptionFault::Death(death) => Some(death.clone()),
                _ => None,
            };
            let error = refused(option, fault);
            match death {
                Some(death) => die(&death, &error),
                None => error,
            }
        })
    }

    /// Serves until told to end.
    pub(super) fn serve(self) -> Result<ExitCode, ServeError> {
        let pid_file = self.pid_file.as_deref().map(PidFile::create).transpose()?;
        let code = Turns::serve(self.server, self.monitors, pid_file)?;
        for socket in self.sockets {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(socket);
        }
        Ok(code)
    }

    fn try_follow(&mut self, option: &Given) -> Result<(), OptionFault> {
        let argument = &option.argument;
        match option.name {
            Name::Blockdev => {
                let written = Written::parse(argument, Some("driver"))?;
                self.execute(Command::BlockdevAdd(written.read()?))
            }
            Name::NbdServer => {
                let written = Written::parse(argument, None)?;
                let options: NbdServerOptions = written.read()?;
                self.execute(Command::NbdServerStart(options.into()))
            }
            Name::Export => {
                let written = Written::parse(argument, Some("type"))?;
                self.execute(Command::BlockExportAdd(written.read()?))
            }
            Name::Monitor => self.add_monitor(argument),
            Name::Chardev => self.add_chardev(option),
            Name::Object => {
                let written = Written::parse(argument, Some("qom-type"))?;
                let object = Object::of(&written, &self.objects)?;
                if object.is_modelled {
                    self.execute(Command::ObjectAdd(written.read()?))?;
                }
                self.objects.push(object.id);
                Ok(())
            }
            Name::Pidfile => {
                self.pid_file = Some(argument.clone());
                Ok(())
            }
            Name::Stray => Err(OptionFault::other("Unexpected argument")),
            // They were looked at before all others.
            Name::Help
            | Name::Version
            | Name::Rule
            | Name::Completion
            | Name::Trace
            | Name::Daemonize => Ok(()),
        }
    }

    fn execute(&mut self, command: Command) -> Result<(), OptionFault> {
        self.server.execute(&command)?;
        Ok(())
    }

    fn add_chardev(&mut self, option: &Given) -> Result<(), OptionFault> {
        let mut tell = |text: String| report(&format_args!("{}: {text}", option.written));
        let chardev = chardev::open(&option.argument, &self.chardevs, &mut tell)?;
        if let Some(Backend::Listening(Listener::Unix { path, .. }, _)) = &chardev.backend {
            self.sockets.push(path.clone());
        }
        self.chardevs.push(chardev);
        Ok(())
    }

    /// Source: `monitor_init` in `monitor/monitor.c`, QEMU 10.0.
    fn add_monitor(&mut self, argument: &str) -> Result<(), OptionFault> {
        let written = Written::parse(argument, Some("chardev"))?;
        let options: MonitorOptions = written.read()?;
        let id = &options.chardev;
        let Some(chardev) = self.chardevs.iter_mut().find(|chardev| chardev.id == *id) else {
            return Err(OptionFault::other(format!("chardev \"{id}\" not found")));
        };
        if options.mode == Some(MonitorMode::Readline) {
            return Err(OptionFault::other("Only QMP is supported"));
        }
        let Some(backend) = chardev.backend.take() else {
            return Err(OptionFault::other(format!("chardev '{id}' is already in use")));
        };
        let pretty = options.pretty.unwrap_or(false);
        let monitor = self.server.add_monitor(if pretty { Layout::Pretty } else { Layout::Plain });
        self.monitors.push((monitor, backend));
        Ok(())
    }
}

/// Makes the server, once its rule is known.
struct MakeServer(Setting);

impl WithRule for MakeServer {
    type Output = Server;

    fn run<R: Rule + Send + 'static>(self, rule: R) -> Server
    where
        R::Hold: Send,
        R::Tally: Send,
    {
        let completion: Completion = self.0.completion.completion();
        let monitor = Monitor::new(rule, completion, Directory::new(""));
        Server::new(monitor, self.0.at_abort(), || {
            // A clock before 1970 tells no time.
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
        })
    }
}
