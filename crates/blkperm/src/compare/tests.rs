//! Comparisons of made-up transcripts, in all forms.

use super::comparison::{Column, Comparison, Player};
use super::{json, story, text};
use crate::outcome::sample::{CONFLICT, completed, died, done, failed, refused, stuck};
use crate::qemu::How;
use crate::registry::Combination;
use blkperm_qemu::Version;
use blkperm_qmp::scenario::Scenario;
use blkperm_qmp::transcript::{Step, Transcript};
use serde_json::{Value, json};
use std::path::Path;

/// A scenario of as many commands as the longest of these has, with QEMU last if there are six.
fn comparison(name: &str, players: Vec<Vec<Step>>) -> Comparison {
    let commands = players.iter().map(Vec::len).max().unwrap_or_default();
    let line = "{\"execute\": \"job-complete\", \"arguments\": {\"id\": \"j0\"}}\n";
    let scenario = format!("# What it is about.\n{}", line.repeat(commands));
    let version = Version { qemu: "10.0.2".to_owned(), package: String::new() };
    let known = Combination::COMPARED.map(Player::Ours).into_iter();
    let columns = known.chain([Player::Qemu(How::Recorded, version)]).zip(players);
    let columns = columns.map(|(player, mut steps)| {
        steps.iter_mut().zip(2..).for_each(|(step, line)| step.line = line);
        Column::new(player, Transcript { steps })
    });
    let scenario = Scenario::parse(Path::new(name), &scenario).unwrap();
    Comparison { argument: scenario.name.clone(), scenario, columns: columns.collect() }
}

/// One scenario with every outcome, which our baseline gets wrong, and one without a story.
fn two() -> [Comparison; 2] {
    let ready = || completed(json!({"device": "j0"}));
    let first = comparison(
        "every-outcome",
        vec![
            vec![done(), done(), ready(), died("SIGABRT")],
            vec![done(), done(), ready(), stuck(&["j0"]), done()],
            vec![done(), done(), ready(), failed(), done()],
            vec![done(), done(), refused(CONFLICT), refused("Job 'j0' not found"), done()],
            vec![done(), done(), refused(CONFLICT), done(), done()],
            vec![done(), done(), ready(), died("SIGSEGV")],
        ],
    );
    let second = comparison("no-story", vec![vec![done(), ready()]; 6]);
    [first, second]
}

/// The lines of the report, without colours and trailing space.
fn lines(comparisons: &[Comparison], all_rows: bool, width: u16) -> Vec<String> {
    let report = text::report(comparisons, all_rows, width);
    let report = anstream::adapter::strip_str(&report).to_string();
    report.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[track_caller]
fn has(lines: &[String], words: &[&str]) {
    let line = lines.iter().find(|line| line.split_whitespace().eq(words.iter().copied()));
    assert!(line.is_some(), "{words:?} in\n{}", lines.join("\n"));
}

#[test]
fn a_row_has_the_cells_of_its_command_and_none_after_a_death() {
    let lines = lines(&two()[..1], false, 200);
    assert_eq!(lines[..2], ["every-outcome", "What it is about."]);
    has(&lines, &["(2", "commands)", "done", "done", "done", "done", "done", "done"]);
    let row = "5: job-complete j0 ABORT stuck: j0 job failed: Operation not permitted refused: \
               Job 'j0' not found done died: SIGSEGV";
    has(&lines, &row.split(' ').collect::<Vec<_>>());
    let row = "4: job-complete j0 done done done refused: a vs. b on n refused: a vs. b on n done";
    has(&lines, &row.split(' ').collect::<Vec<_>>());
    has(&lines, &["6:", "job-complete", "j0", "done", "done", "done", "done"]);
}

#[test]
fn every_command_has_a_row_when_asked() {
    let all = lines(&two()[..1], true, 200);
    has(&all, &["2:", "job-complete", "j0", "done", "done", "done", "done", "done", "done"]);
    assert!(!all.iter().any(|line| line.contains("commands)")), "{all:?}");
}

#[test]
fn texts_are_told_once_and_every_difference_is_told() {
    let lines = lines(&two()[..1], false, 400);
    let words = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = |text: &str| lines.iter().filter(|line| words(line).contains(text)).count();
    assert_eq!(told("4, 5: Permission conflict on node 'n'"), 1);
    assert_eq!(told("5: Job 'j0' not found"), 1);
    assert_eq!(told("baseline+stepwise differs from QEMU: 1 difference"), 1);
    assert_eq!(told("ours: SIGABRT"), 1);
    assert_eq!(told("QEMU: SIGSEGV"), 1);
    assert!(lines.last().unwrap().contains("QEMU 10.0.2, recorded, in 0 of 1"), "{lines:?}");
}

#[test]
fn the_summary_has_the_verdicts_and_counts_them() {
    let lines = lines(&two(), false, 200);
    let row = "every-outcome ABORT stuck job failed refused 2 refused 1 ABORT 1 difference";
    has(&lines, &row.split(' ').collect::<Vec<_>>());
    let row = ["no-story", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded"];
    has(&lines, &[&row[..], &["succeeded", "yes"]].concat());
    has(&lines, &["baseline+stepwise", "1", "-", "-", "-", "1"]);
    has(&lines, &["baseline+atomic", "-", "1", "-", "-", "1"]);
    has(&lines, &["ownership+atomic", "-", "-", "-", "1", "1"]);
    has(
        &lines,
        &["-", "baseline+atomic", "cures", "0", "of", "1;", "sticks", "in", "1:", "every-outcome."],
    );
    has(&lines, &["-", "ownership+atomic", "cures", "1", "of", "1."]);
}

#[test]
fn the_sentence_tells_who_ended_how_the_worst_first() {
    let [first, second] = two();
    let expected = "ABORT at job-complete j0 (line 5) under baseline+stepwise and QEMU; stuck at \
                    job-complete j0 (line 5) under baseline+atomic; job failed at job-complete j0 \
                    (line 5) under groups+atomic; job-complete j0 (line 4) and 1 more are refused \
                    under ownership+stepwise; job-complete j0 (line 4) is refused under \
                    ownership+atomic.";
    assert_eq!(story::shows(&first), expected);
    assert_eq!(story::shows(&second), "Every command is done under all.");
}

#[test]
fn what_succeeded_before_is_the_price_of_a_cure() {
    let spoiled = comparison("spoiled", vec![vec![done()], vec![done()], vec![refused("No")]]);
    let cures = story::cures(&[spoiled]);
    assert_eq!(cures[1].combination, "groups+atomic");
    assert_eq!((cures[1].cures.len(), cures[1].costs.as_slice()), (0, &["spoiled".to_owned()][..]));
    assert_eq!(cures[0].costs, [""; 0]);
}

#[test]
fn without_qemu_nothing_is_said_of_it() {
    let alone = |name| comparison(name, vec![vec![done()]; 5]);
    let comparisons = [alone("a"), alone("b")];
    let lines = lines(&comparisons, false, 200);
    assert_eq!(lines.last().unwrap(), "=> QEMU was not asked.");
    has(&lines, &["a", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "-"]);
    let report = json::report(&comparisons);
    assert_eq!(report["equal"], Value::Null);
    assert_eq!(report["scenarios"][0]["differences"], Value::Null);
    assert_eq!(report["scenarios"][0]["qemu"], Value::Null);
}

#[test]
fn json_has_the_same() {
    let report = json::report(&two());
    assert_eq!(report["equal"], false);
    let [first, second] = [0, 1].map(|at| &report["scenarios"][at]);
    assert_eq!(first["name"], "every-outcome");
    assert_eq!(first["qemu"], json!({"how": "recorded", "version": {"qemu": "10.0.2"}}));
    assert_eq!(
        first["verdicts"]["ownership+stepwise"],
        json!({"outcome": "refused", "line": 4, "refused": 2})
    );
    let command = &first["commands"][3];
    assert_eq!((&command["line"], &command["label"]), (&json!(5), &json!("job-complete j0")));
    let outcomes = &command["outcomes"];
    assert_eq!(outcomes["baseline+stepwise"]["outcome"], "abort");
    assert_eq!(outcomes["baseline+stepwise"]["conflict"]["required-by"], "node 'a'");
    assert_eq!(outcomes["baseline+atomic"], json!({"outcome": "stuck", "jobs": ["j0"]}));
    let error = "Operation not permitted";
    let failed = json!({"outcome": "job-failed", "job": "j0", "error": error});
    assert_eq!(outcomes["groups+atomic"], failed);
    assert_eq!(outcomes["ownership+atomic"], json!({"outcome": "done"}));
    assert_eq!(outcomes["QEMU"]["signal"], "SIGSEGV");
    assert_eq!(first["commands"][4]["outcomes"].as_object().unwrap().len(), 4, "two are dead");
    assert_eq!(first["differences"].as_array().unwrap().len(), 1);
    assert_eq!(second["differences"], json!([]));
    assert_eq!(second["verdicts"]["QEMU"], json!({"outcome": "done", "line": null, "refused": 0}));
    assert_eq!(report["tallies"]["QEMU"][4], json!({"outcome": "abort", "scenarios": 1}));
}

#[test]
fn the_report_keeps_to_its_width() {
    for width in [80, 100, 140, 200] {
        for line in lines(&two(), false, width) {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}
