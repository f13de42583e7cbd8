//! The argument types against the schema of `qemu-storage-daemon` 10.0.2.
//!
//! `schema.json` is its answer to `query-qmp-schema`, reduced to the types that the commands of
//! [`Command`] need, and to the mere names of the other commands. To record it anew, with the
//! daemon in the path: `cargo test -p blkperm-qmp --test schema -- --ignored`.

mod check;
mod record;

use std::collections::BTreeSet;

use blkperm_qmp::command::UNMODELLED;
use blkperm_qmp::{Command, Phase, QmpError, Request};
use check::{Coverage, Schema};
use serde::Deserialize;
use serde_json::json;

/// The recorded schema.
const SCHEMA: &str = include_str!("schema.json");

#[test]
fn every_argument_is_that_of_the_schema() {
    let schema = Schema::parse(SCHEMA);
    for &name in Command::NAMES {
        let coverage = Coverage::default();
        let arguments = schema.arguments(name);
        coverage.until_complete(|| {
            let check = schema.check(&coverage, arguments, name);
            Command::deserialize(name, check).unwrap_or_else(|error| panic!("{name}: {error}"));
        });
    }
}

#[test]
fn every_branch_is_reached() {
    let schema = Schema::parse(SCHEMA);
    let coverage = Coverage::default();
    coverage.until_complete(|| {
        let check = schema.check(&coverage, schema.arguments("blockdev-add"), "blockdev-add");
        Command::deserialize("blockdev-add", check).unwrap();
    });
    for driver in ["blkdebug", "file", "luks", "null-co", "qcow", "qcow2", "raw", "vpc"] {
        assert!(coverage.has("BlockdevOptions", driver), "{driver}");
    }
    for (alternate, branch) in
        [("BlockdevRef", "object"), ("BlockdevRefOrNull", "null"), ("Qcow2OverlapChecks", "string")]
    {
        assert!(coverage.has(alternate, branch), "{alternate} {branch}");
    }
}

#[test]
fn the_tables_name_the_commands_of_the_schema() {
    let schema = Schema::parse(SCHEMA);
    let ours: BTreeSet<_> = Command::NAMES.iter().chain(UNMODELLED).copied().collect();
    assert_eq!(ours, schema.commands().collect());
    assert_eq!(ours.len(), Command::NAMES.len() + UNMODELLED.len(), "a command is in both tables");
}

/// Clients look for the class, and do without such commands.
#[test]
fn what_has_no_model_is_answered_as_what_is_not_known() {
    for name in UNMODELLED {
        let request = Request::parse(&json!({"execute": name}), Phase::Commands { oob: false });
        let answer = request.command.unwrap_err().into_qmp();
        assert_eq!(answer, QmpError::command_not_found(name));
    }
}

fn check_against_job_cancel<T: for<'de> Deserialize<'de>>() {
    let schema = Schema::parse(SCHEMA);
    let coverage = Coverage::default();
    let check = schema.check(&coverage, schema.arguments("block-job-cancel"), "block-job-cancel");
    T::deserialize(check).expect("no error but a panic");
}

#[test]
fn a_correct_struct_passes() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Correct {
        device: String,
        force: Option<bool>,
    }
    check_against_job_cancel::<Correct>();
}

/// Each of these structs differs in one respect from the schema, and must be found out.
macro_rules! faulty {
    ($($test:ident $expected:literal { $($member:ident: $type:ty,)* })*) => {$(
        #[test]
        #[should_panic(expected = $expected)]
        fn $test() {
            #[derive(Deserialize)]
            #[expect(dead_code, reason = "only its shape matters")]
            struct Faulty { $($member: $type,)* }
            check_against_job_cancel::<Faulty>();
        }
    )*};
}

faulty! {
    a_missing_member_is_found "members of block-job-cancel" { device: String, }
    an_additional_member_is_found "members of block-job-cancel" { device: String, force: Option<bool>, more: Option<bool>, }
    another_order_is_found "members of block-job-cancel" { force: Option<bool>, device: String, }
    a_mandatory_member_is_found "block-job-cancel.force is optional" { device: String, force: bool, }
    an_optional_member_is_found "block-job-cancel.device is mandatory" { device: Option<String>, force: Option<bool>, }
    another_type_is_found "type of block-job-cancel.force" { device: String, force: Option<String>, }
}

/// Rewrites the schema from a real daemon.
#[test]
#[ignore = "needs qemu-storage-daemon"]
fn record() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/schema.json");
    std::fs::write(path, record::record()).unwrap();
}
