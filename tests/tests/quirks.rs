//! QEMU's quirks are where docs/differences.md says that they are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A row of the table: number, where in the code, and by what it is shown.
struct Quirk {
    number: u32,
    places: String,
    shown_by: String,
}

/// What is between backticks.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn quirks() -> Vec<Quirk> {
    let page = fs::read_to_string(root().join("docs/differences.md")).unwrap();
    let (_, table) = page.split_once("## Quirks of QEMU's permissions, by number").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[number, _, places, shown_by] = cells.as_slice() else { return None };
        let (places, shown_by) = (places.to_owned(), shown_by.to_owned());
        Some(Quirk { number: number.parse().ok()?, places, shown_by })
    };
    table.lines().filter_map(row).collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The items that say that they are QEMU's quirk of that number: what follows the comment, or is around
/// it.
fn says_so(source: &str, number: u32, item: &str) -> bool {
    // A comment may be broken anywhere.
    let lines: Vec<&str> = source.lines().collect();
    let text = |line: &str| line.trim().trim_start_matches('/').trim_start_matches('!').to_owned();
    let defines = |line: &&str| {
        ["fn ", "static ", "struct "].iter().any(|word| {
            let rest = line.split_once(word).map(|(_, rest)| rest);
            rest.is_some_and(|rest| {
                rest.strip_prefix(item).is_some_and(|rest| rest.starts_with(['(', '<', ':', ' ']))
            })
        })
    };
    lines.iter().enumerate().filter(|(_, line)| defines(line)).any(|(place, _)| {
        let above = lines[..place].iter().rev().take_while(|line| line.trim().starts_with("//"));
        let below = lines[place..].iter().take(100);
        let mut words: Vec<String> = above.map(|line| text(line)).collect();
        words.reverse();
        words.extend(below.map(|line| text(line)));
        let words = words.join(" ");
        let mark = format!("QEMU's quirk {number}");
        words.match_indices(&mark).any(|(at, _)| {
            !words[at + mark.len()..].starts_with(|next: char| next.is_ascii_digit())
        })
    })
}

#[test]
fn every_quirk_is_named_where_the_table_says() {
    let mut all = Vec::new();
    sources(&root().join("crates"), &mut all);
    let quirks = quirks();
    assert!(quirks.iter().map(|quirk| quirk.number).eq(1..=25), "all are in the table");
    for Quirk { number, places, .. } in &quirks {
        if places.starts_with("not reproduced") || places.ends_with(".rs`") && *number != 8 {
            continue;
        }
        for place in names(places).filter(|name| !name.ends_with(".rs")) {
            let item = place.rsplit("::").next().unwrap();
            let found = all.iter().any(|source| says_so(source, *number, item));
            assert!(found, "`{place}` does not say that it is QEMU's quirk {number}");
        }
    }
}

#[test]
fn every_quirk_is_shown_by_a_scenario_that_is_there() {
    let scenarios = root().join("tests/scenarios");
    let page = fs::read_to_string(scenarios.join("commands/quirks-of-permissions.qmp")).unwrap();
    let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("# ")).collect();
    for Quirk { number, shown_by, .. } in quirks() {
        for name in names(&shown_by).filter(|name| name.ends_with(".qmp")) {
            assert!(scenarios.join(name).exists(), "quirk {number}: no {name}");
        }
        if shown_by.split(", ").any(|by| by == "scenario") {
            let is_there = |heading: &&str| {
                let (numbers, _) = heading.split_once(". ").unwrap_or_default();
                numbers.trim_start_matches("# ").split(", ").any(|it| it == number.to_string())
            };
            assert!(headings.iter().any(is_there), "quirk {number}");
        }
    }
}
