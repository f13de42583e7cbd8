//! Searches in files, and split among machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blkperm_baseline::Baseline;
use blkperm_explore::{
    Ended, FileError, Limits, Report, Search, Shard, Single, Subject, System, Universe,
};

use crate::{ALL, CHAIN, explore, qemu, small_text};

fn subject() -> Subject {
    Subject {
        name: "chain".to_owned(),
        universe: small_text(CHAIN, r#""commit""#),
        judged: "baseline+stepwise".to_owned(),
        against: None,
        judges: false,
    }
}

fn system() -> Single<Baseline> {
    qemu(Universe::parse(&subject().universe).expect("it is a universe"))
}

/// A search of all sequences of up to `depth` commands, which is in the file as well.
fn saved_at<'s, S: System>(depth: u32, system: &'s S, file: &Path) -> Search<'s, S> {
    let mut search = Search::new(system);
    search.run(Limits { depth, ..ALL }, |_| true);
    search.save(&subject(), file).expect("there is room for it");
    search
}

/// All but how long it took.
fn numbers(report: Report) -> String {
    format!("{:?}", Report { elapsed: Duration::ZERO, ..report })
}

/// A file's lists of states.
fn states(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).expect("the file is there");
    let line = bytes.iter().position(|&byte| byte == b'\n').expect("it begins with a line");
    bytes[line..].to_vec()
}

fn parts(search: &Search<'_, impl System>, count: u32, directory: &Path) -> Vec<PathBuf> {
    let part = |number| {
        let shard = Shard::new(number, count).expect("there is such a shard");
        let file = directory.join(format!("part.{number}"));
        let part = search.run_shard(shard, ALL.bytes, |_| true).expect("nobody stops it");
        search.save_part(&subject(), &part, &file).expect("there is room for it");
        file
    };
    (1..=count).map(part).collect()
}

#[test]
fn a_search_that_was_stopped_goes_on_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let system = system();
    Search::new(&system).save(&subject(), &file).unwrap();
    let ended = loop {
        let mut search = Search::load(&system, &subject(), &file).unwrap();
        let ended = search.run(ALL, |_| false);
        search.save(&subject(), &file).unwrap();
        if ended != Ended::Stopped {
            assert_eq!(numbers(search.report()), numbers(explore(&system)));
            break ended;
        }
    };
    assert_eq!(ended, Ended::Complete);
}

#[test]
fn shards_together_find_what_one_machine_finds_state_for_state() {
    let directory = tempfile::tempdir().unwrap();
    let (split, whole) = (directory.path().join("split"), directory.path().join("whole"));
    let system = system();
    let mut search = Search::new(&system);
    while !search.is_complete() {
        let mut files = parts(&search, 3, directory.path());
        files.reverse();
        let before = search.report().elapsed;
        search.merge_files(&subject(), &files).unwrap();
        assert!(search.report().elapsed > before, "the shards' times count");
    }
    search.save(&subject(), &split).unwrap();
    let mut alone = Search::new(&system);
    assert_eq!(alone.run(ALL, |_| true), Ended::Complete);
    alone.save(&subject(), &whole).unwrap();
    assert_eq!(numbers(search.report()), numbers(alone.report()));
    assert_eq!(states(&split), states(&whole));
}

#[test]
fn a_shard_that_is_stopped_or_has_no_room_says_so() {
    let system = system();
    let search = Search::new(&system);
    let shard = Shard::new(1, 1).unwrap();
    assert_eq!(search.run_shard(shard, ALL.bytes, |_| false), Err(Ended::Stopped));
    assert_eq!(search.run_shard(shard, 100, |_| true), Err(Ended::Memory));
}

/// A file is written beside the one before, and takes its place when it is whole: what a process that is
/// killed leaves beside it is never read.
#[test]
fn a_search_goes_on_from_its_file_when_it_was_killed_while_it_wrote_another() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let system = system();
    saved_at(3, &system, &file);
    let whole = fs::read(&file).unwrap();
    fs::write(directory.path().join("search.new"), &whole[..whole.len() / 2]).unwrap();
    let mut search = Search::load(&system, &subject(), &file).unwrap();
    assert_eq!(search.run(ALL, |_| true), Ended::Complete);
    search.save(&subject(), &file).unwrap();
    assert_eq!(numbers(search.report()), numbers(explore(&system)));
}

#[test]
fn what_is_no_part_of_the_level_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let system = system();
    let mut search = saved_at(3, &system, &file);
    let files = parts(&search, 2, directory.path());
    let before = numbers(search.report());
    let mut refused = |files: &[PathBuf], reason: &str| {
        let error = search.merge_files(&subject(), files).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(numbers(search.report()), before);
    };
    refused(&[], "there are none");
    refused(&files[..1], "shard 2/2 is missing");
    refused(&[files[0].clone(), files[0].clone()], "shard 1/2 is there twice");
    refused(std::slice::from_ref(&file), "it is a whole search");
    refused(&[directory.path().join("nowhere")], "failed to read");
    let cut = directory.path().join("cut");
    let bytes = fs::read(&files[1]).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    refused(&[files[0].clone(), cut], "failed to read");
    search.merge_files(&subject(), &files).unwrap();
    let late = search.merge_files(&subject(), &files).unwrap_err().to_string();
    assert!(late.contains("another level"), "{late}");
}

#[test]
fn what_is_no_file_of_this_search_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let system = system();
    let mut search = Search::new(&system);
    search.run(Limits { depth: 2, ..ALL }, |_| true);
    search.save(&subject(), &file).unwrap();
    let load = |subject: &Subject| Search::load(&system, subject, &file).map(|_| ());
    assert!(load(&subject()).is_ok());
    let other = Subject { judged: "ownership+atomic".to_owned(), ..subject() };
    assert!(matches!(load(&other), Err(FileError::Content { .. })));
    let bytes = fs::read(&file).unwrap();
    let line = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    // The start, a state, and the state's origin.
    for place in [line + 3, line + 1 + 40 + 32] {
        let mut bent = bytes.clone();
        bent[place] ^= 0x55;
        fs::write(&file, bent).unwrap();
        assert!(load(&subject()).is_err(), "{place}");
    }
    fs::write(&file, &bytes[..line / 2]).unwrap();
    assert!(matches!(load(&subject()), Err(FileError::Content { .. })));
}
