//! Options as GNU's `getopt_long` finds them, with its complaints.

use std::ffi::OsString;

/// The options there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// Shows the help.
    Help,
    /// Shows the version.
    Version,
    /// Traces events.
    Trace,
    /// Opens a node.
    Blockdev,
    /// Makes a character device.
    Chardev,
    /// Goes to the background.
    Daemonize,
    /// Exports a node.
    Export,
    /// Makes a monitor.
    Monitor,
    /// Starts the NBD server.
    NbdServer,
    /// Makes an object.
    Object,
    /// Writes the process ID to a file.
    Pidfile,
    /// Ours: the rule.
    Rule,
    /// Ours: the completion.
    Completion,
    /// No option at all, but an argument that stands alone.
    Stray,
}

/// An option that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Given {
    /// Which one.
    pub(super) name: Name,
    /// Its argument; empty if it takes none.
    pub(super) argument: String,
    /// All of it, as it stands on the command line.
    pub(super) written: String,
}

/// The command line is not made of options.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum UsageError {
    /// There is no such option.
    #[error("unrecognized option '{0}'")]
    Unrecognized(String),
    /// There is no such option of one letter.
    #[error("invalid option -- '{0}'")]
    Invalid(char),
    /// An abbreviation stands for more than one option.
    #[error("option '{given}' is ambiguous; possibilities: {possible}")]
    Ambiguous {
        /// The abbreviation.
        given: String,
        /// What it stands for.
        possible: String,
    },
    /// An option lacks its argument.
    #[error("option '--{0}' requires an argument")]
    NoArgument(&'static str),
    /// An option of one letter lacks its argument.
    #[error("option requires an argument -- '{0}'")]
    NoShortArgument(char),
    /// An option has an argument and takes none.
    #[error("option '--{0}' doesn't allow an argument")]
    NeedlessArgument(&'static str),
    /// An argument is not text.
    #[error("argument '{0}' is not UTF-8; only names and paths that are can be used")]
    NotUtf8(String),
}

/// The long options, the daemon's first; whether they take an argument.
const LONG: [(&str, Name, bool); 13] = [
    ("blockdev", Name::Blockdev, true),
    ("chardev", Name::Chardev, true),
    ("daemonize", Name::Daemonize, false),
    ("export", Name::Export, true),
    ("help", Name::Help, false),
    ("monitor", Name::Monitor, true),
    ("nbd-server", Name::NbdServer, true),
    ("object", Name::Object, true),
    ("pidfile", Name::Pidfile, true),
    ("trace", Name::Trace, true),
    ("version", Name::Version, false),
    ("rule", Name::Rule, true),
    ("completion", Name::Completion, true),
];

/// The names of the long options that take an argument and have an effect.
pub(super) fn with_argument() -> impl Iterator<Item = &'static str> {
    let useful = |(name, _, argument): (&'static str, Name, bool)| argument.then_some(name);
    LONG.into_iter().filter_map(useful).filter(|name| *name != "trace")
}

/// How many of [`LONG`] are the daemon's: only those may be abbreviated, so that what abbreviates
/// one for the daemon does so here.
const ABBREVIABLE: usize = 11;

/// Finds the options, up to the first mistake.
pub(super) fn parse(
    arguments: &[OsString],
) -> impl Iterator<Item = Result<Given, UsageError>> + use<'_> {
    let mut parser = Parser { rest: arguments, cluster: "" };
    std::iter::from_fn(move || parser.next().transpose())
}

struct Parser<'a> {
    rest: &'a [OsString],
    /// What is left of several options of one letter in one argument.
    cluster: &'a str,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Result<Option<Given>, UsageError> {
        if !self.cluster.is_empty() {
            return self.short();
        }
        let Some(argument) = self.take()? else {
            return Ok(None);
        };
        if argument == "--" {
            // The daemon ignores what follows.
            self.rest = &[];
            return Ok(None);
        }
        if let Some(option) = argument.strip_prefix("--") {
            return self.long(argument, option);
        }
        match argument.strip_prefix('-') {
            Some(cluster) if !cluster.is_empty() => {
                self.cluster = cluster;
                self.short()
            }
            _ => Ok(Some(given(Name::Stray, argument, argument.to_owned()))),
        }
    }

    fn take(&mut self) -> Result<Option<&'a str>, UsageError> {
        let Some((first, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let text = first.to_str();
        let text = text.ok_or_else(|| UsageError::NotUtf8(first.to_string_lossy().into_owned()))?;
        Ok(Some(text))
    }

    fn long(&mut self, whole: &str, option: &str) -> Result<Option<Given>, UsageError> {
        let (name, argument) = match option.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (option, None),
        };
        let (full, name, takes_argument) = find(name, whole)?;
        match (argument, takes_argument) {
            (Some(_), false) => Err(UsageError::NeedlessArgument(full)),
            (None, false) => Ok(Some(given(name, "", whole.to_owned()))),
            (Some(argument), true) => Ok(Some(given(name, argument, whole.to_owned()))),
            (None, true) => {
                let argument = self.take()?.ok_or(UsageError::NoArgument(full))?;
                Ok(Some(given(name, argument, format!("{whole} {argument}"))))
            }
        }
    }

    fn short(&mut self) -> Result<Option<Given>, UsageError> {
        let mut letters = self.cluster.chars();
        let Some(letter) = letters.next() else {
            return Ok(None);
        };
        let whole = format!("-{}", self.cluster);
        self.cluster = letters.as_str();
        match letter {
            'h' => Ok(Some(given(Name::Help, "", whole))),
            'V' => Ok(Some(given(Name::Version, "", whole))),
            'T' if !self.cluster.is_empty() => {
                Ok(Some(given(Name::Trace, std::mem::take(&mut self.cluster), whole)))
            }
            'T' => {
                let argument = self.take()?.ok_or(UsageError::NoShortArgument('T'))?;
                Ok(Some(given(Name::Trace, argument, format!("{whole} {argument}"))))
            }
            _ => Err(UsageError::Invalid(letter)),
        }
    }
}

fn given(name: Name, argument: &str, written: String) -> Given {
    Given { name, argument: argument.to_owned(), written }
}

/// The option of that name, or which it abbreviates.
fn find(name: &str, whole: &str) -> Result<(&'static str, Name, bool), UsageError> {
    if let Some(&option) = LONG.iter().find(|(full, ..)| *full == name) {
        return Ok(option);
    }
    let options = LONG[..ABBREVIABLE].iter();
    let found: Vec<_> = options.filter(|(full, ..)| full.starts_with(name)).copied().collect();
    match found[..] {
        [option] => Ok(option),
        [] => Err(UsageError::Unrecognized(whole.to_owned())),
        _ => {
            let names: Vec<_> = found.iter().map(|(full, ..)| format!("'--{full}'")).collect();
            Err(UsageError::Ambiguous { given: whole.to_owned(), possible: names.join(" ") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Vec<(Name, String, String)>, String> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        let each = |option: Result<Given, UsageError>| {
            let option = option.map_err(|error| error.to_string())?;
            Ok((option.name, option.argument, option.written))
        };
        parse(&arguments).map(each).collect()
    }

    #[test]
    fn options_keep_their_order_and_may_be_abbreviated() {
        let options =
            parsed(&["--c", "stdio,id=m", "x", "-hTy", "--rule=groups", "--", "y"]).unwrap();
        let expected = [
            (Name::Chardev, "stdio,id=m", "--c stdio,id=m"),
            (Name::Stray, "x", "x"),
            (Name::Help, "", "-hTy"),
            (Name::Trace, "y", "-Ty"),
            (Name::Rule, "groups", "--rule=groups"),
        ];
        let expected = expected
            .map(|(name, argument, written)| (name, argument.to_owned(), written.to_owned()));
        assert_eq!(options, expected);
    }

    #[test]
    fn complaints_are_those_of_getopt() {
        let cases: [(&[&str], &str); 6] = [
            (&["--nosuch=x"], "unrecognized option '--nosuch=x'"),
            (&["-x"], "invalid option -- 'x'"),
            (&["--mon"], "option '--monitor' requires an argument"),
            (&["-T"], "option requires an argument -- 'T'"),
            (&["--help=x"], "option '--help' doesn't allow an argument"),
            (&["--rul", "x"], "unrecognized option '--rul'"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(parsed(arguments).unwrap_err(), expected);
        }
    }
}
