use serde::Deserialize;
use serde_json::{Value, json};

use super::{MAX_DEPTH, from_arguments, qdict_order};
use crate::command::blockdev::{BlockdevOptions, BlockdevRef, BlockdevRefOrNull, DriverOptions};
use crate::command::object::ObjectOptions;
use crate::{Command, CommandError, Phase, Request, json};

fn read<T: for<'de> Deserialize<'de>>(arguments: Value) -> Result<T, CommandError> {
    from_arguments(arguments.as_object().unwrap())
}

fn refusal<T: for<'de> Deserialize<'de>>(arguments: Value) -> String {
    match read::<T>(arguments) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Numbers {
    byte: Option<u8>,
    signed: Option<i8>,
    word: Option<u16>,
    wide: Option<u64>,
    float: Option<f64>,
    list: Option<Vec<i16>>,
}

#[test]
fn integers_have_ranges() {
    for (arguments, expected) in [
        (json!({"byte": 255}), "accepted"),
        (json!({"byte": 256}), "Parameter 'byte' expects uint8_t"),
        (json!({"byte": -1}), "Parameter 'byte' expects uint8_t"),
        (json!({"byte": 1.0}), "Parameter 'byte' expects uint64"),
        (json!({"signed": -128}), "accepted"),
        (json!({"signed": 128}), "Parameter 'signed' expects int8_t"),
        (json!({"signed": "x"}), "Invalid parameter type for 'signed', expected: integer"),
        (json!({"float": 1}), "accepted"),
        (json!({"float": "1"}), "Invalid parameter type for 'float', expected: number"),
        (json!({"list": [1, 40000]}), "Parameter 'null' expects int16_t"),
        (json!({"list": [1, "x"]}), "Invalid parameter type for 'list[1]', expected: integer"),
    ] {
        assert_eq!(refusal::<Numbers>(arguments.clone()), expected, "{arguments}");
    }
}

#[test]
fn a_negative_number_wraps_where_an_unsigned_one_is_expected() {
    assert_eq!(read::<Numbers>(json!({"wide": -1})).unwrap().wide, Some(u64::MAX));
}

#[test]
fn null_is_neither_absent_nor_a_string() {
    let read = |backing: Value| {
        let options: BlockdevOptions =
            read(json!({"driver": "qcow2", "file": "f", "backing": backing})).unwrap();
        let DriverOptions::Qcow2(qcow2) = options.options else { panic!("another driver") };
        qcow2.backing
    };
    assert_eq!(read(Value::Null), Some(BlockdevRefOrNull::Null));
    assert_eq!(read("b".into()), Some(BlockdevRefOrNull::Reference("b".into())));
    assert!(matches!(read(json!({"driver": "null-co"})), Some(BlockdevRefOrNull::Definition(_))));
}

#[test]
fn what_the_schema_has_and_we_have_not_is_told_apart() {
    let error =
        |kind: &str| read::<ObjectOptions>(json!({"qom-type": kind, "id": "a"})).unwrap_err();
    assert!(matches!(error("nonsense"), CommandError::Qmp(_)));
    let unimplemented =
        CommandError::Unimplemented { member: "qom-type".into(), value: "tls-creds-x509".into() };
    assert_eq!(error("tls-creds-x509"), unimplemented);
}

#[test]
fn a_common_member_before_the_branch_is_reported_first() {
    let refused = refusal::<BlockdevOptions>(json!({"driver": "vmdk", "node-name": 5}));
    assert_eq!(refused, "Invalid parameter type for 'node-name', expected: string");
}

/// A node on `levels` inline nodes.
fn nested(levels: usize) -> Value {
    let nodes = "{'driver': 'raw', 'file': ".repeat(levels);
    let text = format!("{nodes}{{'driver': 'null-co'}}{}", "}".repeat(levels));
    json::read_all(text.as_bytes()).unwrap().remove(0).value
}

fn add(node: &Value) -> Result<Command, CommandError> {
    Command::new("blockdev-add", node.as_object().unwrap()).unwrap()
}

#[test]
fn deep_nesting_is_refused_before_the_stack_ends() {
    let Ok(Command::BlockdevAdd(mut node)) = add(&nested(MAX_DEPTH - 1)) else { panic!("refused") };
    let mut levels = 1;
    while let DriverOptions::Raw(raw) = node.options {
        let BlockdevRef::Definition(child) = raw.file else { panic!("a name") };
        node = child;
        levels += 1;
    }
    assert_eq!(levels, MAX_DEPTH);
    for levels in [MAX_DEPTH, 1000] {
        assert!(matches!(add(&nested(levels)), Err(CommandError::Unimplemented { .. })));
    }
}

#[test]
fn an_identifier_may_be_as_deep_as_the_reader_lets_through() {
    let text =
        format!("{{'execute': 'query-jobs', 'id': {}{}}}", "[".repeat(1023), "]".repeat(1023));
    let request = json::read_all(text.as_bytes()).unwrap().remove(0).value;
    let request = Request::parse(&request, Phase::Commands { oob: false });
    assert_eq!(request.command, Ok(Command::QueryJobs));
    assert_eq!(request.id.unwrap().to_string().len(), 2 * 1023);
}

fn reported(names: &[&str]) -> String {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Mandatory {
        id: String,
    }
    let members = names.iter().map(|&name| (name.to_owned(), "".into()));
    refusal::<Mandatory>(Value::Object(members.chain([("id".to_owned(), "".into())]).collect()))
}

#[test]
fn the_unexpected_member_is_the_one_that_qemu_meets_first() {
    assert_eq!(reported(&["c", "b", "a"]), "Parameter 'b' is unexpected");
    assert_eq!(reported(&["a", "b", "c"]), "Parameter 'b' is unexpected");
    assert_eq!(reported(&[]), "accepted");
}

#[test]
fn members_are_met_by_hash_and_the_newest_first() {
    let id = json!({"b": 1, "a": 2, "z": 3, "y": 4});
    let names: Vec<_> =
        qdict_order(id.as_object().unwrap()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "y", "b", "z"]);
}

#[test]
fn many_unexpected_members_are_no_burden() {
    let names: Vec<_> = (0..20_000).map(|number| format!("m{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert!(reported(&names).ends_with("is unexpected"));
}
