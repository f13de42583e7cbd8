//! What is proposed for random commands that a real daemon refuses, done to the daemon.
//!
//! A sample in each run; as many as are asked for by
//!
//! ```text
//! BLKPERM_RELEASES=1000 BLKPERM_SEED=7 cargo test --release -p blkperm-explain --test live -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::panic;

use blkperm_baseline::Baseline;
use blkperm_differ::{Plan, generate};
use blkperm_explain::{Action, Fate, Surety, Tried, Untold, proposals};
use blkperm_jobs::Completion;
use blkperm_qemu::{Daemon, Programs};
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::{Endpoint, Stop};
use blkperm_qmp::scenario::Action as Line;
use blkperm_qmp::transcript::Reply;
use serde_json::{Value, json};

use crate::{explained, programs, replies_of};

const SEED: u64 = 6;
const LENGTH: usize = 30;

/// What was found.
#[derive(Default, Debug)]
struct Count {
    /// Commands that the block layer refused, with a proposal that was carried out and let them pass.
    helped: usize,
    /// Commands that it refused where no proposal did, as was said of all, by what is not known.
    unsure: BTreeMap<String, usize>,
    /// Commands that it refused, with nothing to propose at all.
    helpless: usize,
    /// Proposals that were carried out.
    proposals: usize,
    /// Proper subsets of them that were carried out.
    subsets: usize,
    /// What went otherwise than foretold.
    wrong: Vec<String>,
}

/// What was refused, told so that it can be played again.
struct Told<'a> {
    lines: &'a [Line],
    command: &'a Value,
}

impl Debug for Told<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} after", self.command)?;
        self.lines.iter().try_for_each(|line| match line {
            Line::Command(command) => write!(f, "\n{command}"),
            Line::Image(image) => write!(f, "\n# {image:?}"),
        })
    }
}

/// A daemon after these lines; none where it dies or hangs of them.
fn after(programs: &Programs, lines: &[Line]) -> Option<Daemon> {
    let mut daemon = Daemon::start(programs).unwrap();
    for line in lines {
        match line {
            Line::Image(image) => daemon.create_image(image).unwrap(),
            Line::Command(command) => {
                daemon.execute(command).and_then(|_| daemon.settle()).ok()?;
            }
        }
    }
    Some(daemon)
}

/// Whether the daemon carries the command out, and no job fails of it.
fn passes(daemon: &mut Daemon, command: &Value) -> bool {
    daemon.take_events();
    let reply = daemon.execute(command);
    let settled: Result<(), Stop> = daemon.settle();
    let is_verb = command["execute"].as_str().is_some_and(|name| name.contains("job-"));
    let fails = daemon.take_events().iter().any(|event| event.data.get("error").is_some());
    matches!(reply, Ok(Reply::Return(_))) && settled.is_ok() && !(is_verb && fails)
}

/// Whether a node that is to be deleted has gone with another one; a daemon that has died tells
/// nothing.
fn is_gone(daemon: &mut Daemon, release: &Value) -> bool {
    let node = release["arguments"]["node-name"].as_str();
    let Ok(graph) = daemon.graph() else { return false };
    node.is_some_and(|name| graph.nodes.iter().all(|node| node.name != name))
}

/// Whether the command passes after these releases; not where one of them cannot be done.
fn helps(programs: &Programs, lines: &[Line], releases: &[&Action], command: &Value) -> bool {
    let mut daemon = after(programs, lines).unwrap();
    let mut releases = releases.iter().filter_map(|action| action.command());
    releases.all(|release| passes(&mut daemon, &release) || is_gone(&mut daemon, &release))
        && passes(&mut daemon, command)
}

/// Checks what is proposed for one refused command; says how many proposals and subsets there were.
fn check(
    programs: &Programs,
    lines: &[Line],
    command: &Value,
    daemon: &mut Daemon,
    count: &mut Count,
) {
    let told = Told { lines, command };
    let replies = replies_of(daemon);
    let explained = panic::catch_unwind(|| explained(&replies, &told));
    let Ok((monitor, doubts)) = explained else {
        count.wrong.push(format!("not explained: {told:?}"));
        return;
    };
    let Ok(tried) = Tried::new(command.clone()) else { return };
    let fate = tried.play(&mut monitor.clone());
    let Fate::Refused { denied: Some(_), .. } = fate else { return };
    let proposals = proposals(&monitor, &doubts, &|fork| tried.play(fork)).found;
    let Some(best) = proposals.first() else {
        count.helpless += 1;
        return;
    };
    let mut worked = false;
    for proposal in &proposals {
        let actions = &proposal.actions;
        let differs = subsets(actions).into_iter().find(|chosen| {
            count.subsets += usize::from(chosen.len() < actions.len());
            helps(programs, lines, chosen, command) != (chosen.len() == actions.len())
        });
        count.proposals += 1;
        worked |= differs.is_none();
        let Some(chosen) = differs else { continue };
        let is_wrong = match proposal.surety {
            Surety::Sure => true,
            Surety::Unless(untold) => !may_be(programs, lines, untold),
            Surety::OnlyIf(_) => false,
        };
        if is_wrong {
            let wrong = format!("{chosen:?} of {proposal:?} for {told:?}");
            println!("WRONG: {wrong}");
            count.wrong.push(wrong);
        }
    }
    let untold = match best.surety {
        _ if worked => return count.helped += 1,
        Surety::Sure => String::new(),
        Surety::Unless(untold) => format!("perhaps not, if {untold}"),
        Surety::OnlyIf(untold) => format!("perhaps, if {untold}"),
    };
    *count.unsure.entry(untold).or_default() += 1;
}

/// All of the actions, and their proper subsets: of many only those in which one is missing, and none.
fn subsets(actions: &[Action]) -> Vec<Vec<&Action>> {
    let all = 0..1_u32 << actions.len();
    let chosen = all.map(|subset| {
        let chosen = actions.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1);
        chosen.map(|(_, action)| action).collect::<Vec<&Action>>()
    });
    let is_looked_at = |chosen: &Vec<&Action>| {
        actions.len() <= 4 || chosen.is_empty() || chosen.len() + 1 >= actions.len()
    };
    chosen.filter(is_looked_at).collect()
}

/// Whether what the answers do not tell may be so after these lines: of nodes that came with others
/// the daemon says so when they are to be deleted.
fn may_be(programs: &Programs, lines: &[Line], untold: Untold) -> bool {
    if untold != Untold::OPENED_WITH_PARENTS {
        return true;
    }
    let mut daemon = after(programs, lines).unwrap();
    let graph = daemon.graph().unwrap();
    // What is in use is not deleted by asking.
    let is_used = |name: &str| graph.edges.iter().any(|edge| edge.child == name);
    graph.nodes.iter().filter(|node| is_used(&node.name)).any(|node| {
        let delete = json!({"execute": "blockdev-del", "arguments": {"node-name": node.name}});
        let answer = daemon.execute(&delete);
        let is_owned = |desc: &str| !desc.contains("is not owned by the monitor");
        !node.name.starts_with('#')
            && matches!(answer, Ok(Reply::Error { desc, .. }) if !is_owned(&desc))
    })
}

fn hunt(programs: &Programs, seed: u64, wanted: usize) -> Count {
    let mut count = Count::default();
    for index in 0.. {
        let plan = Plan { seed, index, length: LENGTH };
        let mut endpoint = MonitorEndpoint::new(Baseline, Completion::Stepwise);
        let script = generate(plan, &mut endpoint).unwrap();
        println!("script {index}: {} of {wanted}, {} wrong", count.helped, count.wrong.len());
        let mut daemon = Daemon::start(programs).unwrap();
        for (place, line) in script.actions.iter().enumerate() {
            if count.helped >= wanted {
                return count;
            }
            let Line::Command(command) = line else {
                let Line::Image(image) = line else { unreachable!() };
                daemon.create_image(image).unwrap();
                continue;
            };
            let reply = daemon.execute(command).and_then(|reply| daemon.settle().map(|()| reply));
            match reply {
                Ok(Reply::Error { .. }) => {
                    check(programs, &script.actions[..place], command, &mut daemon, &mut count);
                }
                Ok(Reply::Return(_)) => {}
                Err(_) => break,
            }
        }
    }
    count
}

#[test]
fn what_is_proposed_for_random_refused_commands_works_and_nothing_less_does() {
    let Some(programs) = programs() else { return };
    let count = hunt(&programs, SEED, 12);
    assert!(count.proposals >= 12 && count.wrong.is_empty(), "{count:?}");
}

#[test]
#[ignore = "takes minutes: as many commands as BLKPERM_RELEASES says"]
fn what_is_proposed_for_many_random_refused_commands_works() {
    let Some(programs) = programs() else { return };
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("BLKPERM_SEED").unwrap_or(SEED);
    let wanted = number("BLKPERM_RELEASES").unwrap_or(1_000);
    let count = hunt(&programs, seed, wanted as usize);
    println!("seed {seed}: {count:?}");
    assert!(count.wrong.is_empty(), "{} of {} proposals", count.wrong.len(), count.proposals);
}
