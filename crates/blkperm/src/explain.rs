//! `blkperm explain`: who holds what in the graph of a QEMU, why, what would happen, and what to do.

mod answer;
mod error;
mod html;
mod json;
mod pictures;
mod story;
mod subject;
mod text;

pub(crate) use error::Error;
pub(crate) use pictures::graph as picture;
pub(crate) use subject::{Given, Subject};

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use blkperm_explain::{Address, Tried, parse_command};
use serde_json::Value;

use crate::output::Format;
use crate::registry::{Combination, CompletionName, RuleName};
use answer::{Answer, Worst};

const EXAMPLES: &str = "\
Examples:
  blkperm explain --qmp unix:/run/vm.qmp
          Who holds what in a running QEMU, and what would become of its jobs
  blkperm explain --qmp tcp:localhost:4444 --try 'blockdev-mirror device=d0 target=t0 sync=full job-id=j0'
          Whether a command would pass, and what to do if it would not; nothing is carried out
  blkperm explain graph.json nodes.json exports.json --node top
          Why each parent of a node holds what it holds, from answers that were saved
  blkperm explain active-commit-complete-stranger-on-top --rule ownership
          Why QEMU aborts in a scenario, and what the experimental rule would make of it
  blkperm explain graph.json nodes.json exports.json --html graph.html
          A page with pictures of the graph, and of what would become of it

Answers are saved as QEMU gives them, bare or with the rest of the session, in one file or several:
x-debug-query-block-graph, and for a full account query-named-block-nodes with flat=true,
query-jobs, query-block-jobs, query-block-exports and query-block. A running QEMU is asked exactly
these, and nothing is changed in it.

In the table, + is who takes a permission, - who keeps others from taking it, and ± who does both;
`top:backing` is the edge that node `top` calls `backing`.

Exit status:
  0  nothing is in the way
  2  bad input, or a monitor that does not answer
  3  something would be refused: the command that was tried, or the end of a job
  4  something would abort QEMU";

/// The arguments of `blkperm explain`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// Files with answers of QEMU, - for standard input; or one scenario
    #[arg(required_unless_present = "qmp", conflicts_with = "qmp", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ask a running QEMU: unix:PATH or tcp:HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    qmp: Option<Address>,
    /// How long a running QEMU may take to answer, in seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Of a scenario: explain the graph before this line, and try the command on it; by default the
    /// first line at which something goes wrong
    #[arg(long, value_name = "LINE")]
    line: Option<usize>,
    /// Why each parent of this node holds what it holds there, and the node on its own children
    #[arg(long, value_name = "NODE")]
    node: Vec<String>,
    /// Why this edge holds what it holds
    #[arg(long, value_name = "PARENT:NAME")]
    edge: Vec<String>,
    /// Try a command, in JSON or as `name key=value ...`; several are tried one after the other
    #[arg(long = "try", value_name = "COMMAND")]
    commands: Vec<String>,
    /// Try the commands in a file, one a line
    #[arg(long, value_name = "FILE")]
    try_file: Option<PathBuf>,
    /// Say beside QEMU's answer what this rule would make of it
    #[arg(long, value_enum)]
    rule: Option<RuleName>,
    /// How that rule carries out a job's completion
    #[arg(long, value_enum, default_value = "atomic", requires = "rule")]
    completion: CompletionName,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write a page with pictures to this file, too
    #[arg(long, value_name = "HTML_FILE")]
    html: Option<PathBuf>,
}

impl Explain {
    /// Explains, and prints it.
    ///
    /// # Errors
    ///
    /// Fails when there is nothing to be explained, or the output cannot be written.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let given = Given::read(&self.files, self.qmp.as_ref(), self.timeout)?;
        let (subject, line) = Subject::new(given, self.line)?;
        let tried = self.tried(&subject, line)?;
        let mut answers = vec![Answer::of(&subject, Combination::QEMU, &tried)];
        if let Some(rule) = self.rule {
            let combination = Combination { rule, completion: self.completion };
            if combination != Combination::QEMU {
                answers.push(Answer::of(&subject, combination, &tried));
            }
        }
        let asked = subject.asked(&self.node, &self.edge)?;
        if let Some(file) = &self.html {
            let page = html::report(&subject, &asked, &tried, &answers);
            let failed = |source| crate::error::Error::Write { file: file.clone(), source };
            fs::write(file, page).map_err(failed).map_err(Box::new)?;
        }
        let mut out = anstream::stdout().lock();
        match self.format {
            Format::Text => text::write(&mut out, &subject, &asked, &answers)?,
            Format::Json => json::write(&mut out, &subject, &asked, &answers)?,
        }
        out.flush()?;
        Ok(match answers[0].worst() {
            Worst::Nothing => ExitCode::SUCCESS,
            Worst::Refused => ExitCode::from(3),
            Worst::Aborts => ExitCode::from(4),
        })
    }

    /// The commands to be tried: those that were given, or else that of the scenario's line.
    fn tried(&self, subject: &Subject, line: Option<Value>) -> Result<Vec<Tried>, Error> {
        let mut texts = self.commands.clone();
        if let Some(file) = &self.try_file {
            let text = subject::read(file)?;
            let lines = text.lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            texts.extend(lines.map(str::to_owned));
        }
        let parse = |text: &String| {
            parse_command(text).map_err(|source| Error::Command { text: text.clone(), source })
        };
        let mut requests = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if requests.is_empty() {
            requests.extend(line);
        }
        let resolved = requests.into_iter().map(|request| subject.resolved(request));
        Ok(resolved.map(Tried::new).collect::<Result<_, _>>()?)
    }
}
