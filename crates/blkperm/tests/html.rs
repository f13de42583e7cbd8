//! The page of `blkperm compare --html` from outside.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The page that a command writes, which ends with `status`.
#[track_caller]
fn written(arguments: &[&str], status: i32) -> String {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("page.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.args(arguments).arg("--html").arg(&file).stdin(Stdio::null());
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(!output.stdout.is_empty(), "the text is printed, too");
    fs::read_to_string(file).expect("it is written")
}

/// The page that the scenarios make.
#[track_caller]
fn page(scenarios: &[&str]) -> String {
    written(&[&["compare"], scenarios].concat(), 0)
}

/// All that stands between `before` and the next quotation mark.
fn all<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    let parts = page.split(before).skip(1);
    parts.map(|part| part.split('"').next().unwrap_or_default()).collect()
}

/// Checks that a page needs nothing but itself.
#[track_caller]
fn stands_alone(page: &str) {
    for word in ["http", "src=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    let ids = all(page, " id=\"");
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), different.len(), "every id is there once");
    for link in all(page, "href=\"#") {
        assert!(different.contains(link), "nothing has the id {link}");
    }
    for tag in ["details", "figure", "svg", "table", "ul", "div", "g"] {
        let opened =
            page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn the_page_of_all_scenarios_is_not_large() {
    let page = page(&[]);
    stands_alone(&page);
    assert!(all(&page, "href=\"#").len() > 25, "it leads to each scenario");
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
}

#[test]
fn an_explanation_has_pictures_of_what_would_happen() {
    let scenario = "active-commit-complete-stranger-on-top";
    let page = written(&["explain", scenario, "--rule", "ownership"], 4);
    stands_alone(&page);
    for words in [
        "ABORTS QEMU",
        "When QEMU aborts",
        "conflict: consistent-read",
        "delete export &#39;guest&#39;",
        "ownership+atomic",
        "<figcaption>Then</figcaption>",
        "Who holds what",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let page = written(&["explain", scenario, "--line", "26", "--rule", "ownership"], 4);
    assert!(page.contains("What is refused") && page.contains("To let it pass"), "{page}");
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
fn qemu_is_named_beside_the_baseline_where_it_does_the_same() {
    let page = page(&["active-commit-complete-stranger-on-top"]);
    let steps = page.matches("<h4>baseline+stepwise").count();
    assert!(steps > 0);
    assert_eq!(page.matches("QEMU: ").count(), steps, "{page}");
}

/// A recording in which QEMU shares less in the last step than it does.
#[test]
fn where_qemu_differs_its_own_graph_is_shown() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("mirror.qmp");
    fs::copy(scenarios.join("mirror-full-complete.qmp"), &scenario).unwrap();
    let recording = fs::read_to_string(scenarios.join("mirror-full-complete.qemu.json")).unwrap();
    let (before, last) = recording.rsplit_once("\"cw-- / cwu-\"").expect("the guest writes");
    let other = format!("{before}\"c--- / cwur\"{last}");
    fs::write(directory.path().join("mirror.qemu.json"), other).unwrap();
    let page = written(&["compare", &scenario.display().to_string()], 1);
    let own = page.split("<h4>QEMU: ").collect::<Vec<_>>();
    assert_eq!(own.len(), 2, "in the last step, and nowhere else");
    let own = own[1].split("</details>").next().unwrap();
    assert!(own.contains("<figure"), "{own}");
    assert!(
        own.contains("takes consistent-read; before: takes consistent-read and write"),
        "{own}"
    );
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
