//! The command `blkperm`: one QMP script, several permission rules, and real QEMU beside them.

mod compare;
mod cost;
mod differ;
mod draw;
mod error;
mod explain;
mod explore;
mod film;
mod label;
mod machine;
mod manual;
mod outcome;
mod output;
mod qemu;
mod registry;
mod run;
mod serve;
mod source;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::env;
use std::io::Write;
use std::process::ExitCode;

const ABOUT: &str = "\
Compares QEMU's block permissions with grouped and owned ones.

A block job's filter hides what the guest needs from everybody. QEMU then accepts parents that it
should refuse, and aborts when the job ends. Under the ownership rule it does not happen. blkperm
plays one and the same QMP script to several rules, with real QEMU beside them.";

const EXAMPLES: &str = "\
Examples:
  blkperm compare
          See QEMU abort in the built-in scenarios, and what cures it
  blkperm run mirror-twice --rule ownership --completion atomic
          Watch one scenario under one rule, with the graph that it ends in
  blkperm draw active-commit-complete-stranger-on-top -o abort.svg
          See it
  blkperm explain --qmp unix:/run/vm.qmp
          Who holds what in a running QEMU, why, and what would become of its jobs
  blkperm serve --help
          Stand in for a qemu-storage-daemon

Exit status:
  0  done; nothing differs, nothing is in the way
  1  compare, differ: not as QEMU; explore: something goes wrong; serve: as qemu-storage-daemon
  2  bad input, or something that is needed cannot be used
  3  explain: something would be refused
  4  explain: something would abort QEMU";

/// Compares QEMU's block permissions with grouped and owned ones.
#[derive(Parser)]
#[command(version, long_about = ABOUT, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// When to use colours
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    color: output::Color,
}

#[derive(Subcommand)]
enum Command {
    /// Plays scenarios to every rule, with QEMU beside them
    Compare(compare::Compare),
    /// Plays one scenario to one rule, and shows all that it answers
    Run(run::Run),
    /// Draws a graph: who takes and unshares what
    Draw(draw::Draw),
    /// Tells who holds what in a QEMU, why, what would happen, and what to do
    Explain(explain::Explain),
    /// Searches every sequence of commands for what goes wrong
    Explore(explore::Explore),
    /// Puts together what several machines have explored
    Merge(explore::Merge),
    /// Measures what an edge costs, with QEMU beside us
    Cost(cost::Cost),
    /// Plays random scripts to real QEMU and to a rule, and says where they differ
    Differ(differ::Differ),
    /// Speaks QMP, as a qemu-storage-daemon does
    Serve(serve::Serve),
    /// Prints what a shell needs to complete this command
    Completions(manual::Completions),
    /// Prints or writes man pages
    Man(manual::ManPages),
}

fn main() -> ExitCode {
    let color = output::Color::glimpse(env::args_os());
    let matches = Arguments::command().color(color.for_clap()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    arguments.color.apply();
    let result = match arguments.command {
        Command::Compare(compare) => compare.run().map_err(Into::into),
        Command::Run(run) => run.run().map_err(Into::into),
        Command::Draw(draw) => draw.run(),
        Command::Explain(explain) => explain.run().map_err(Into::into),
        Command::Explore(explore) => explore.run().map_err(Into::into),
        Command::Merge(merge) => merge.run().map_err(Into::into),
        Command::Cost(cost) => cost.run().map_err(Into::into),
        Command::Differ(differ) => differ.run(),
        Command::Serve(serve) => serve.run(),
        Command::Completions(completions) => {
            completions.run(Arguments::command()).map_err(Into::into)
        }
        Command::Man(pages) => pages.run(Arguments::command()).map_err(Into::into),
    };
    match result {
        Ok(code) => code,
        Err(error) if error::is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            // When standard error is gone too, the exit status is all that can be told.
            let _ = writeln!(anstream::stderr(), "{}", error::render(&*error));
            ExitCode::from(2)
        }
    }
}
