//! The command from outside: exit statuses, streams, bad input.

use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn blkperm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blkperm"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Exit status, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = blkperm(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// A directory with files in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Files {
        let directory = tempfile::tempdir().expect("there is room");
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).expect("there is room");
        }
        Files(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios").join(name)
}

/// What fails, whether with `compare` or `run`, and nothing is printed but the message.
#[track_caller]
fn fails(scenario: &str, message: &[&str]) {
    let run_arguments = ["run", scenario, "--rule", "baseline", "--completion", "atomic"];
    for arguments in [&["compare", scenario, "--qemu", "off"][..], &run_arguments[..]] {
        let (status, stdout, stderr) = run(arguments);
        assert_eq!(status, Some(2), "{stderr}");
        assert_eq!(stdout.lines().count(), 0, "{stdout}");
        for words in message {
            assert!(stderr.contains(words), "{words} in\n{stderr}");
        }
        assert!(stderr.len() < 4_000 && !stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn all_built_in_scenarios_equal_qemu() {
    let (status, stdout, stderr) = run(&["compare"]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("What cures what: baseline+stepwise aborts in"), "{stdout}");
    assert!(!stdout.contains('\x1b'), "no colour into a pipe");
    let (_, colored, _) = run(&["compare", "--color", "always"]);
    assert!(colored.contains('\x1b'));
}

#[test]
fn the_proposal_neither_aborts_nor_sticks() {
    let (status, stdout, _) = run(&["compare", "--format", "json"]);
    assert_eq!(status, Some(0));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["equal"], json!(true));
    let scenarios = report["scenarios"].as_array().unwrap();
    let count = |player: &str, outcome: &str| {
        let verdicts = scenarios.iter().map(|one| &one["verdicts"][player]["outcome"]);
        verdicts.filter(|found| *found == outcome).count()
    };
    assert_eq!((count("ownership+atomic", "abort"), count("ownership+atomic", "stuck")), (0, 0));
    assert!(count("QEMU", "abort") > 0);
    assert_eq!(count("QEMU", "abort"), count("baseline+stepwise", "abort"));
}

#[test]
fn a_difference_from_qemu_is_printed_and_ends_with_1() {
    let name = "mirror-twice.qmp";
    let recording = fs::read_to_string(seed("mirror-twice.qemu.json")).unwrap();
    let changed = recording.replacen("\"ready\"", "\"running\"", 1);
    assert_ne!(changed, recording);
    let scenario = fs::read(seed(name)).unwrap();
    let files = [(name, &scenario[..]), ("mirror-twice.qemu.json", changed.as_bytes())];
    let files = Files::new(&files);
    let (status, stdout, _) = run(&["compare", &files.path(name)]);
    assert_eq!(status, Some(1), "{stdout}");
    assert!(stdout.contains("differs from QEMU: 1 difference"), "{stdout}");
    assert!(stdout.contains("in 0 of 1"), "{stdout}");
    let (status, stdout, _) = run(&["compare", &files.path(name), "--qemu", "off"]);
    assert_eq!(status, Some(0), "{stdout}");
}

#[test]
fn a_recording_of_another_scenario_is_bad_input() {
    let recording = fs::read(seed("mirror-twice.qemu.json")).unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("a.qmp", b"{\"execute\": \"query-jobs\"}"),
        ("a.qemu.json", &recording),
        ("b.qmp", b"{\"execute\": \"query-jobs\"}"),
    ];
    let files = Files::new(&files);
    let (status, _, stderr) = run(&["compare", &files.path("a.qmp")]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("record it again") && stderr.contains("--qemu off"), "{stderr}");
    let (status, _, stderr) = run(&["compare", &files.path("b.qmp"), "--qemu", "recorded"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("no answers of QEMU to 'b' are recorded"), "{stderr}");
}

#[test]
fn an_abort_is_an_outcome() {
    let scenario = "mirror-complete-dest-perm";
    let arguments = ["run", scenario, "--rule", "baseline", "--completion", "stepwise"];
    let (status, stdout, stderr) = run(&arguments);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    for words in
        ["!! SIGABRT: Unexpected error in", "Outcome: ABORT at line", "The graph before it"]
    {
        assert!(stdout.contains(words), "{words} in\n{stdout}");
    }
}

#[test]
fn a_run_in_json_is_one_object_a_line() {
    let arguments = ["run", "mirror-twice", "--rule", "ownership", "--completion", "atomic"];
    let objects = |more: &[&str]| -> Vec<Value> {
        let (status, stdout, _) = run(&[&arguments[..], more].concat());
        assert_eq!(status, Some(0));
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let steps = objects(&["--format", "json"]);
    let (end, steps) = steps.split_last().unwrap();
    assert_eq!(end["verdict"], json!({"outcome": "done", "line": null, "refused": 0}));
    assert!(end["graph"]["edges"].as_array().is_some_and(|edges| !edges.is_empty()));
    assert!(steps.iter().all(|step| step["reply"]["return"].is_object()));
    assert!(steps.iter().all(|step| step.get("graph").is_none()));
    let with_graphs = objects(&["--format", "json", "--graph-after-each"]);
    assert!(with_graphs.iter().all(|step| step["graph"]["nodes"].is_array()));
    assert_eq!(with_graphs.last().unwrap()["graph"], end["graph"]);
}

#[test]
fn bad_input_is_shown_with_its_place() {
    let nested = [b"{\"execute\": ".as_slice(), &b"{\"a\":".repeat(100_000)].concat();
    let files: [(&str, &[u8]); 4] = [
        ("broken.qmp", b"# x\n\n{\"execute\": \"quit\", nope}"),
        ("nested.qmp", &nested),
        ("arrays.qmp", &b"[".repeat(100_000)),
        ("latin1.qmp", b"# x\n{\"execute\": \"\xc3\xa9\xff\"}"),
    ];
    let files = Files::new(&files);
    fails(&files.path("broken.qmp"), &["broken.qmp:3:21", "nope}", "^", "help: "]);
    fails(&files.path("nested.qmp"), &["nested.qmp:1:", "nesting", "^"]);
    fails(&files.path("arrays.qmp"), &["arrays.qmp:1:1025", "nesting", "^"]);
    fails(&files.path("latin1.qmp"), &["latin1.qmp:2:15: not UTF-8"]);
    fails(&files.path("missing.qmp"), &["neither a file nor a built-in scenario"]);
    fails("mirror-twic", &["'mirror-twic'", "mirror-twice"]);
    fails(&files.path(""), &["is a directory"]);
}

#[test]
fn a_scenario_that_cannot_go_on_is_bad_input() {
    let scenario = concat!(
        "{\"execute\": \"query-jobs\"}\n",
        "{\"image\": {\"filename\": \"a\", \"format\": \"qcow2\", \"backing\": \"missing\"}}\n",
    );
    let files = Files::new(&[("stops.qmp", scenario.as_bytes())]);
    let scenario = files.path("stops.qmp");
    let message = "failed to play line 2 of 'stops': No such file";
    let (status, stdout, stderr) = run(&["compare", &scenario, "--qemu", "off"]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains(message), "{stderr}");
    let (status, stdout, stderr) =
        run(&["run", &scenario, "--rule", "baseline", "--completion", "atomic"]);
    assert_eq!(status, Some(2));
    assert!(stdout.contains("query-jobs"), "what came before is shown: {stdout}");
    assert!(stderr.contains(message), "{stderr}");
}

#[test]
fn a_file_may_be_huge_or_endless() {
    let line = [b"{\"execute\": \"".as_slice(), &vec![b'a'; 100_000_000], b"\"}"].concat();
    let files = Files::new(&[("huge.qmp", &line)]);
    fails(&files.path("huge.qmp"), &["huge.qmp' is larger than 16 MiB"]);
    fails("/dev/zero", &["'/dev/zero' is larger than 16 MiB"]);
}

#[test]
fn nothing_is_printed_when_one_of_several_scenarios_is_broken() {
    let files = Files::new(&[("broken.qmp", b"{")]);
    let (status, stdout, _) = run(&["compare", "mirror-twice", &files.path("broken.qmp")]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""));
}

#[test]
fn a_reader_may_leave_early() {
    let compare = ["compare", "--format", "json"];
    let graphs = ["run", "commit-after-mirror", "--rule", "groups", "--completion", "atomic"];
    for arguments in [&compare[..], &[&graphs[..], &["--graph-after-each"]].concat()] {
        let mut child =
            blkperm(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn help_teaches_by_example() {
    for command in ["compare", "run"] {
        let (status, stdout, _) = run(&[command, "--help"]);
        assert_eq!(status, Some(0));
        assert!(stdout.contains("Examples:") && stdout.contains("Exit status:"), "{stdout}");
    }
    let (status, stdout, _) = run(&["--version"]);
    assert_eq!(
        (status, stdout.as_str()),
        (Some(0), concat!("blkperm ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    assert_eq!(run(&["compare", "--qemu", "perhaps"]).0, Some(2));
}
