//! `blkperm run`: one scenario played to one rule, with all that it answers.

mod tree;

use crate::error::Error;
use crate::outcome::{Kind, Outcome, Verdict};
use crate::output::{Format, heading};
use crate::registry::{Combination, CompletionName, RuleName};
use crate::source::Source;
use anstyle::Style;
use blkperm_qmp::play::{Endpoint, Play};
use blkperm_qmp::transcript::{GraphDump, Reply, Step, Transcript};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  blkperm run active-commit-cancel-stranger-on-top --rule baseline --completion stepwise
          The abort of QEMU, and the graph before it
  blkperm run my.qmp --rule ownership --completion atomic --graph-after-each
          Your own script, with the graph after each command
  blkperm run my.qmp --rule ownership --completion atomic --format json | jq .reply
          One JSON object for each command, and one at the end with the outcome and the graph

A graph is a tree that grows downwards: parents above, with what each edge takes and shares
(c consistent-read, w write, u write-unchanged, r resize). A node with several parents is shown
once, and `(see above)` where it comes again. BLK is a BlockBackend, for example an export's.

Exit status:
  0  the scenario was played, whatever came of it, an abort included
  2  bad input";

/// The arguments of `blkperm run`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// A scenario file, or the name of a built-in scenario
    scenario: PathBuf,
    /// The rule by which permissions are judged
    #[arg(long, value_enum)]
    rule: RuleName,
    /// How a job's completion is carried out
    #[arg(long, value_enum)]
    completion: CompletionName,
    /// The graph after each command, not only at the end
    #[arg(long)]
    graph_after_each: bool,
    /// The format of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Run {
    /// Plays the scenario and prints what is answered as it comes.
    ///
    /// # Errors
    ///
    /// Fails when the scenario cannot be read or played.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let Source { scenario, .. } = Source::named(&self.scenario)?;
        let combination = Combination { rule: self.rule, completion: self.completion };
        let mut endpoint: Box<dyn Endpoint> = combination.endpoint();
        let mut out = anstream::stdout().lock();
        if self.format == Format::Text {
            writeln!(out, "{} under {combination}", heading(&scenario.name))?;
        }
        let (mut steps, mut graph) = (Vec::new(), GraphDump::default());
        for step in Play::new(&mut *endpoint, &scenario) {
            let mut step = step.map_err(|source| Error::Play { combination, source })?;
            let after = step.graph.take();
            self.show(&mut out, &step, after.as_ref().filter(|_| self.graph_after_each))?;
            graph = after.unwrap_or(graph);
            steps.push(step);
        }
        self.show_end(&mut out, &Transcript { steps }, &graph)?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    /// One step; its graph apart from it.
    fn show(&self, out: &mut impl Write, step: &Step, graph: Option<&GraphDump>) -> io::Result<()> {
        match self.format {
            Format::Text => {
                show_step(out, step)?;
                graph.map_or(Ok(()), |graph| write!(out, "{}", indented(&tree::tree(graph))))
            }
            Format::Json => {
                let mut value = json!(step);
                if let Some(graph) = graph {
                    value["graph"] = json!(graph);
                }
                writeln!(out, "{value}")
            }
        }
    }

    /// What came of all, and the last graph: after a death, that before it.
    fn show_end(
        &self,
        out: &mut impl Write,
        transcript: &Transcript,
        graph: &GraphDump,
    ) -> io::Result<()> {
        let verdict = Verdict::of(&Outcome::of(transcript));
        let step = transcript.steps.get(verdict.at).filter(|_| verdict.worst != Kind::Done);
        match self.format {
            Format::Text => {
                let at = step.map(|step| format!(" at line {}", step.line)).unwrap_or_default();
                let when = if verdict.worst == Kind::Abort { "before it" } else { "at the end" };
                writeln!(out, "\n{} {verdict}{at}", heading("Outcome:"))?;
                if let Some(step) = step {
                    let (scenario, line) = (self.scenario.display(), step.line);
                    let explain = format!("blkperm explain {scenario} --line {line}");
                    writeln!(out, "Why, and what to do: {explain}")?;
                }
                writeln!(out, "{}", heading(&format!("The graph {when}:")))?;
                write!(out, "{}", tree::tree(graph))
            }
            Format::Json => {
                let line = step.map(|step| step.line);
                let verdict =
                    json!({"outcome": verdict.worst, "line": line, "refused": verdict.refused});
                writeln!(out, "{}", json!({"verdict": verdict, "graph": graph}))
            }
        }
    }
}

/// A step as QEMU's documentation shows QMP: `->` from the client, `<-` from the monitor.
fn show_step(out: &mut impl Write, step: &Step) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{:>4} -> {}", step.line, step.command)?;
    if let Some(reply) = &step.reply {
        let style = if reply.is_return() { Style::new() } else { bold };
        writeln!(out, "     <- {style}{}{style:#}", message(reply))?;
    }
    for event in &step.events {
        writeln!(out, "     <- {}", json!({"event": event.name, "data": event.data}))?;
    }
    if !step.stuck.is_empty() {
        writeln!(out, "     {bold}!! stuck: {}{bold:#}", step.stuck.join(", "))?;
    }
    if let Some(death) = &step.death {
        let place = death.origin.iter().map(|origin| format!("Unexpected error in {origin}: "));
        let place: String = place.collect();
        writeln!(out, "     {bold}!! {}: {place}{}{bold:#}", death.signal, death.message)?;
    }
    Ok(())
}

/// A reply as QMP sends it.
fn message(reply: &Reply) -> Value {
    match reply {
        Reply::Return(value) => json!({ "return": value }),
        Reply::Error { class, desc } => json!({"error": {"class": class, "desc": desc}}),
    }
}

fn indented(tree: &str) -> String {
    tree.lines().map(|line| format!("     {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use blkperm_qmp::transcript::{Death, Event};

    #[test]
    fn a_step_is_shown_as_qmp() {
        let mut step = Step::new(7, json!({"execute": "job-complete"}));
        step.reply = Some(Reply::Return(json!({})));
        step.events = vec![Event { name: "STOP".to_owned(), data: json!({"a": 1}) }];
        step.stuck = vec!["j0".to_owned(), "j1".to_owned()];
        step.death = Some(Death {
            signal: "SIGABRT".to_owned(),
            message: "No".to_owned(),
            origin: Some("f() at x.c:1".to_owned()),
        });
        let mut out = anstream::StripStream::new(Vec::new());
        show_step(&mut out, &step).unwrap();
        let expected = concat!(
            "   7 -> {\"execute\":\"job-complete\"}\n",
            "     <- {\"return\":{}}\n",
            "     <- {\"event\":\"STOP\",\"data\":{\"a\":1}}\n",
            "     !! stuck: j0, j1\n",
            "     !! SIGABRT: Unexpected error in f() at x.c:1: No\n",
        );
        assert_eq!(String::from_utf8(out.into_inner()).unwrap(), expected);
    }
}
