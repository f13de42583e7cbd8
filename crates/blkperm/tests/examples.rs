//! What a new user pastes: every example of every help and of the README that needs nothing but
//! this machine ends with a status that its help names.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const COMMANDS: [&str; 10] = [
    "compare",
    "run",
    "draw",
    "explain",
    "explore",
    "cost",
    "differ",
    "serve",
    "completions",
    "man",
];

/// What an example needs that is not here, or what it takes too long for.
const NOT_HERE: [(&str, &str); 8] = [
    ("--qmp", "a QEMU that runs"),
    ("--qemu live", "an installed QEMU"),
    ("blkperm differ", "an installed QEMU"),
    ("--confirm", "an installed QEMU"),
    ("blkperm cost", "minutes"),
    ("blkperm explore", "minutes"),
    ("--chardev", "a client"),
    ("~/", "a home"),
];

fn blkperm() -> &'static str {
    env!("CARGO_BIN_EXE_blkperm")
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

fn help(arguments: &[&str]) -> String {
    let (status, stdout, stderr) = run(Command::new(blkperm()).args(arguments).arg("--help"));
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

/// The lines of a text that are commands of ours.
fn examples(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("  blkperm "));
    lines.map(|line| format!("blkperm {line}")).collect()
}

/// The statuses that a help names.
fn statuses(help: &str) -> BTreeSet<i32> {
    let (_, list) = help.split_once("Exit status:").expect("every help has them");
    let lines =
        list.lines().map_while(|line| line.is_empty().then_some("").or(line.strip_prefix("  ")));
    lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}

/// A directory with the files that examples speak of.
fn workplace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("there is room");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/scenarios/active-commit-complete-stranger-on-top.qmp");
    let text = fs::read_to_string(scenario).expect("it is there");
    let before_the_end = text.lines().filter(|line| !line.contains("job-complete"));
    let mut text: String = before_the_end.map(|line| format!("{line}\n")).collect();
    write(directory.path(), "my.qmp", &text);

    // What a QEMU would answer there, saved as the help says.
    let queries = [
        ("graph.json", "x-debug-query-block-graph", json!({})),
        ("nodes.json", "query-named-block-nodes", json!({"flat": true})),
        ("exports.json", "query-block-exports", json!({})),
    ];
    for (_, name, arguments) in &queries {
        text += &format!("{}\n", json!({"execute": name, "arguments": arguments}));
    }
    write(directory.path(), "saved.qmp", &text);
    let file = directory.path().join("saved.qmp");
    let arguments = ["--rule", "baseline", "--completion", "stepwise", "--format", "json"];
    let (_, stdout, _) = run(Command::new(blkperm()).arg("run").arg(&file).args(arguments));
    let steps: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (file, name, _) in queries {
        let step = steps.iter().find(|step| step["command"]["execute"] == name).expect("asked");
        let reply = step["reply"]["Return"].clone();
        let reply = if reply.is_null() { step["reply"]["return"].clone() } else { reply };
        write(directory.path(), file, &json!({ "return": reply }).to_string());
    }
    directory
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).expect("there is room");
}

/// Runs an example, up to where it goes through somebody else's command.
#[track_caller]
fn try_out(example: &str, directory: &Path, allowed: &BTreeSet<i32>) {
    if NOT_HERE.iter().any(|(words, _)| example.contains(words)) {
        return;
    }
    let ours = example.split(" | ").next().unwrap_or(example);
    let binary = PathBuf::from(blkperm());
    let ours = ours.replacen("blkperm", &format!("'{}'", binary.display()), 1);
    let (status, stdout, stderr) =
        run(Command::new("sh").arg("-c").arg(&ours).current_dir(directory));
    let status = status.expect("it is not killed");
    assert!(allowed.contains(&status) && status != 2, "{example}: {status}\n{stdout}\n{stderr}");
    assert!(!stderr.contains("panicked") && !stdout.contains('\x1b'), "{example}");
}

#[test]
fn every_example_of_every_help_works() {
    let directory = workplace();
    for command in COMMANDS {
        let help = help(&[command]);
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command} has no example");
        let allowed = statuses(&help);
        // That of `serve` is qemu-storage-daemon's.
        let bad_input = if command == "serve" { 1 } else { 2 };
        assert!(allowed.contains(&0) && allowed.contains(&bad_input), "{command}: {allowed:?}");
        for example in examples {
            try_out(&example, directory.path(), &allowed);
        }
    }
    for example in examples(&help(&[])) {
        try_out(&example, directory.path(), &BTreeSet::from([0]));
    }
}

#[test]
fn every_command_of_the_readme_works() {
    let directory = workplace();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).expect("it is there");
    let mut inside = false;
    let mut found = 0;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = !inside;
        }
        let command = line.strip_prefix("$ ").unwrap_or(line);
        let ours =
            command.strip_prefix("cargo run --release -- ").or(command.strip_prefix("blkperm "));
        if let Some(arguments) = ours.filter(|_| inside) {
            found += 1;
            try_out(&format!("blkperm {arguments}"), directory.path(), &BTreeSet::from([0, 3, 4]));
        }
    }
    assert!(found > 2, "the README shows commands");
}

#[test]
fn completions_know_every_command_and_the_options_of_serve() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (status, stdout, stderr) = run(Command::new(blkperm()).args(["completions", shell]));
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{shell}");
        // Not every shell is told the values of options.
        let tells_values = !["elvish", "powershell"].contains(&shell);
        let values = ["stepwise"].into_iter().filter(|_| tells_values);
        for word in COMMANDS.into_iter().chain(["nbd-server", "graph-after-each"]).chain(values) {
            assert!(stdout.contains(word), "{word} for {shell}");
        }
    }
    let (status, ..) = run(Command::new(blkperm()).args(["completions", "tcsh"]));
    assert_eq!(status, Some(2));
}

#[test]
fn every_command_has_a_man_page() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man/man1");
    let mut command = Command::new(blkperm());
    assert_eq!(run(command.arg("man").arg(&pages)).0, Some(0));
    for name in COMMANDS {
        let page = fs::read_to_string(pages.join(format!("blkperm-{name}.1"))).unwrap();
        for section in ["NAME", "DESCRIPTION", "SEE ALSO"] {
            assert!(
                page.contains(&format!(".SH {section}"))
                    || page.contains(&format!(".SH \"{section}\"")),
                "{section} of {name}\n{page}"
            );
        }
        let has_status = page.contains("EXIT STATUS");
        assert!(has_status || name == "serve", "{name}\n{page}");
    }
    let (status, stdout, _) = run(Command::new(blkperm()).arg("man"));
    assert_eq!(status, Some(0));
    assert_eq!(stdout, fs::read_to_string(pages.join("blkperm.1")).unwrap());
    let mut command = Command::new(blkperm());
    let (status, ..) = run(command.arg("man").arg(pages.join("blkperm.1")));
    assert_eq!(status, Some(2));
}

#[test]
fn there_are_no_colours_in_a_pipe_unless_they_are_asked_for() {
    let commands: [&[&str]; 3] = [
        &["compare", "mirror-twice"],
        &["run", "mirror-twice", "--rule", "baseline", "--completion", "stepwise"],
        &["explain", "active-commit-complete-stranger-on-top"],
    ];
    for arguments in commands {
        let colored = |more: &[&str], no_color: bool| {
            let mut command = Command::new(blkperm());
            command.args(arguments).args(more).env_remove("NO_COLOR").env("TERM", "xterm");
            if no_color {
                command.env("NO_COLOR", "1");
            }
            run(&mut command).1.contains('\x1b')
        };
        assert!(!colored(&[], false), "{arguments:?}");
        assert!(!colored(&["--color", "never"], false), "{arguments:?}");
        assert!(colored(&["--color", "always"], false), "{arguments:?}");
        assert!(colored(&["--color", "always"], true), "{arguments:?}: what is asked for is done");
    }
}
