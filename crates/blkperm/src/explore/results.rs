//! What searches have found, as a part of a document that is rewritten.

use super::confirm::Confirmed;
use super::error::Error;
use super::report::{Class, Report};
use blkperm_explore::Outcome;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Rewrites what is between the marks of the reports' universe; adds both at the end where there are
/// none yet.
pub(super) fn rewrite(file: &Path, reports: &[Report]) -> Result<(), Error> {
    let read = |source| Error::Read { file: file.to_owned(), source };
    let text = if file.exists() { fs::read_to_string(file).map_err(read)? } else { String::new() };
    let name = reports[0].universe_stem();
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let part = format!("{begin}\n{}{end}", part(reports));
    let places = text.find(&begin).zip(text.find(&end));
    let text = match places.filter(|(from, to)| from < to) {
        Some((from, to)) => format!("{}{part}{}", &text[..from], &text[to + end.len()..]),
        None => format!("{text}\n{part}\n"),
    };
    fs::write(file, text).map_err(Error::write(file))
}

fn part(reports: &[Report]) -> String {
    let name = &reports[0].universe;
    let mut text = format!("\n## Universe `{name}`\n\n");
    text.push_str("| rule and completion | states | transitions | longest | covered ");
    text.push_str("| abort | stuck | law broken |\n|---|---:|---:|---:|---|---:|---:|---:|\n");
    for report in reports {
        let covered = if report.is_complete { "all" } else { "in part" };
        let Report { combination, states, transitions, depth, .. } = report;
        let [abort, stuck, broken] =
            [Outcome::Abort, Outcome::Stuck, Outcome::Broken].map(|outcome| cell(report, outcome));
        let _ = writeln!(
            text,
            "| {combination} | {states} | {transitions} | {depth} | {covered} | {abort} | {stuck} | {broken} |"
        );
    }
    text.push_str("\nIn the last three columns: classes, and in parentheses transitions.\n");
    for report in reports.iter().filter(|report| !report.classes.is_empty()) {
        let _ = writeln!(text, "\n### {}\n", report.combination);
        text.push_str("| class | times | first after | QEMU |\n|---|---:|---:|---|\n");
        for Class { title, count, length, confirmed, .. } in &report.classes {
            let qemu = match confirmed {
                Some(Confirmed::Died { signal, .. }) => signal,
                Some(Confirmed::Lived) => "lives",
                Some(Confirmed::DiedEarlier) => "dies earlier",
                None => "not asked",
            };
            let _ = writeln!(text, "| {title} | {count} | {length} | {qemu} |");
        }
    }
    text
}

fn cell(report: &Report, outcome: Outcome) -> String {
    let of = || report.classes.iter().filter(|class| class.outcome == outcome);
    let times: u64 = of().map(|class| class.count).sum();
    if times == 0 { "0".to_owned() } else { format!("{} ({times})", of().count()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            universe: "chain".to_owned(),
            combination: "baseline+stepwise".to_owned(),
            states: 3,
            transitions: 5,
            refused: 1,
            depth: 2,
            is_complete: true,
            seconds: 0.5,
            classes: Vec::new(),
        }
    }

    #[test]
    fn a_part_is_added_once_and_rewritten_after_that() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("results.md");
        fs::write(&file, "# Results\n").unwrap();
        rewrite(&file, &[report()]).unwrap();
        let first = fs::read_to_string(&file).unwrap();
        assert!(first.starts_with("# Results\n") && first.contains("| 3 | 5 | 2 | all |"));
        rewrite(&file, &[report()]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        rewrite(&file, &[Report { states: 4, ..report() }]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), first.replace("| 3 | 5", "| 4 | 5"));
    }
}
