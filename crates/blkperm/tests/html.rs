//! The page of `blkperm compare --html` from outside.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

/// The page that the scenarios make.
#[track_caller]
fn page(scenarios: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("page.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.arg("compare").args(scenarios).arg("--html").arg(&file).stdin(Stdio::null());
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!output.stdout.is_empty(), "the comparison is printed, too");
    fs::read_to_string(file).expect("it is written")
}

/// All that stands between `before` and the next quotation mark.
fn all<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    let parts = page.split(before).skip(1);
    parts.map(|part| part.split('"').next().unwrap_or_default()).collect()
}

#[test]
fn the_page_of_all_scenarios_stands_alone() {
    let page = page(&[]);
    for word in ["http", "src=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    let ids = all(&page, " id=\"");
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), different.len(), "every id is there once");
    let links = all(&page, "href=\"#");
    assert!(links.len() > 25, "{} links", links.len());
    for link in links {
        assert!(different.contains(link), "nothing has the id {link}");
    }
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    for tag in ["details", "figure", "svg", "table", "ul", "div", "g"] {
        let opened =
            page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn rules_that_do_the_same_are_shown_together_and_what_they_refuse_is_red() {
    let page = page(&["active-commit-complete-stranger-on-top"]);
    let together = "groups+atomic, ownership+stepwise, ownership+atomic: ";
    assert!(page.contains(together), "{page}");
    for caption in ["Before", "After", "As it stays", "What was refused", "At its end"] {
        assert!(page.contains(&format!("<figcaption>{caption}</figcaption>")), "{caption}");
    }
    assert!(page.contains("What the job was refused"), "baseline+atomic is stuck");
    assert!(page.contains("conflict: consistent-read"));
}

#[test]
fn a_hostile_scenario_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("<b>.qmp");
    let lines = [
        "# <script>alert(1)</script> & \u{202e} \"title\"",
        r#"{"image": {"filename": "<i>'\"&.raw", "format": "raw", "size": "1M"}}"#,
        r#"{"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "f", "filename": "<i>'\"&.raw"}}"#,
        r#"{"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "<u>", "filename": "x"}}"#,
    ];
    fs::write(&scenario, lines.join("\n")).unwrap();
    let page = page(&[&scenario.display().to_string()]);
    assert!(page.contains("alert(1)") && page.contains("&lt;script&gt;"));
    assert_eq!(page.matches("<script>").count(), 1, "only our own");
    for tag in ["<b>", "<i>", "<u>"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(!page.contains('\u{202e}'));
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.args(["compare", "mirror-twice", "--html", "no/such/directory/page.html"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("page.html"));
}
