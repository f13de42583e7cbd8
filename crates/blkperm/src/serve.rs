//! `blkperm serve`: a QMP server that takes `qemu-storage-daemon`'s options.
//!
//! Whatever starts and drives a `qemu-storage-daemon` for its graph can start this instead: options
//! are followed in the order of the command line, errors are the daemon's, and the process ends as
//! the daemon does. Data is never served and images are never written.

mod chardev;
mod command_line;
mod connection;
mod error;
mod object;
mod options;
mod outbox;
mod pid_file;
mod startup;
mod turns;

use crate::registry::{CompletionName, RuleName};
use command_line::{Given, Name};
use error::ServeError;
use startup::{Setting, Startup};
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// The daemon whose options these are, whose version is followed.
const VERSION: &str =
    concat!("qemu-storage-daemon version 10.0.2 (blkperm ", env!("CARGO_PKG_VERSION"), ")\n");

/// All that `--help` says.
pub(crate) const HELP: &str = include_str!("serve/help.txt");

/// The arguments of `blkperm serve`.
// They are the daemon's, which differ from clap's ways: names may be abbreviated, and the order of
// the options is the order in which they are followed.
#[derive(clap::Args)]
#[command(disable_help_flag = true, override_help = HELP)]
pub(crate) struct Serve {
    /// qemu-storage-daemon's options, and --rule and --completion; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<OsString>,
}

/// The command with its options spelt out, for completion.
pub(crate) fn with_options(command: clap::Command) -> clap::Command {
    let option = |name| clap::Arg::new(name).long(name).num_args(1);
    let options = command_line::with_argument().map(|name| match name {
        "rule" => option(name).value_parser(clap::builder::EnumValueParser::<RuleName>::new()),
        "completion" => {
            option(name).value_parser(clap::builder::EnumValueParser::<CompletionName>::new())
        }
        "pidfile" => option(name).value_hint(clap::ValueHint::FilePath),
        _ => option(name),
    });
    command.args(options)
}

impl Serve {
    /// Serves until told to end.
    ///
    /// # Errors
    ///
    /// Fails when the help cannot be written. Other failures are reported as the daemon reports
    /// them, with its exit status.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
        let given: Vec<_> = command_line::parse(&self.options).collect();
        for option in &given {
            let text = match option {
                Ok(Given { name: Name::Help, .. }) => HELP,
                Ok(Given { name: Name::Version, .. }) => VERSION,
                Ok(_) => continue,
                Err(_) => break,
            };
            io::stdout().write_all(text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(serve(given).unwrap_or_else(|error| {
            error::report(&error);
            ExitCode::FAILURE
        }))
    }
}

/// Follows the options, then serves.
fn serve(given: Vec<Result<Given, command_line::UsageError>>) -> Result<ExitCode, ServeError> {
    let given = given.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut startup = Startup::new(Setting::of(&given)?);
    for option in given {
        startup.follow(&option)?;
    }
    startup.serve()
}
