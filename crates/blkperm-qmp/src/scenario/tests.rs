use super::*;
use crate::image::ImageFormat;
use serde_json::json;

fn parse(text: &str) -> Result<Scenario, Box<LineError>> {
    Scenario::parse(Path::new("dir/shown.qmp"), text)
}

/// The error's text, the characters at fault, and what to do.
#[track_caller]
fn check_error(text: &str, place: &str, message: &str, help: &str) {
    let error = parse(text).unwrap_err();
    let at_fault: String = error.text.chars().skip(error.column - 1).take(error.width).collect();
    assert_eq!(at_fault, place, "{error}");
    let lines = text.lines().count();
    assert_eq!(error.to_string(), format!("dir/shown.qmp:{lines}:{}: {message}", error.column));
    assert!(error.help().contains(help), "{}", error.help());
}

#[test]
fn a_scenario_has_a_title_images_and_commands() {
    let scenario = parse(concat!(
        "# It shows this.\n",
        "#\n",
        "# And it does so\n",
        "# in two lines.\n",
        "\n",
        "# Not part of it.\n",
        "{\"image\": {\"filename\": \"b.raw\", \"format\": \"raw\", \"size\": \"1.5K\"}}\n",
        "  {\"image\": {\"filename\": \"t.qcow2\", \"format\": \"qcow2\", \"backing\": \"b.qcow2\"}}  \n",
        "\n",
        "{\"execute\": \"quit\", \"id\": 7}\n",
    ));
    let scenario = scenario.unwrap();
    assert_eq!(scenario.name, "shown");
    assert_eq!(scenario.title, "It shows this.");
    assert_eq!(scenario.description, "And it does so\nin two lines.");
    let numbers: Vec<usize> = scenario.lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [7, 8, 10]);
    let raw = Image::new("b.raw", ImageFormat::Raw, Some(1536));
    assert_eq!(scenario.lines[0].action, Action::Image(raw));
    let Action::Image(overlay) = &scenario.lines[1].action else { panic!("an image") };
    let backing = Backing { filename: "b.qcow2".to_owned(), format: ImageFormat::Qcow2 };
    assert_eq!((overlay.size, &overlay.backing), (None, &Some(backing)));
    assert_eq!(scenario.lines[1].text.chars().next(), Some('{'));
    let commands: Vec<_> = scenario.commands().collect();
    assert_eq!(commands, [(10, &json!({"execute": "quit", "id": 7}))]);
}

#[test]
fn a_scenario_needs_no_comment_and_no_lines() {
    let scenario = parse("").unwrap();
    assert_eq!((scenario.title.as_str(), scenario.lines.len()), ("", 0));
    let scenario = parse("{\"execute\": \"quit\"}\n# Late.\n").unwrap();
    assert_eq!(scenario.title, "");
}

#[test]
fn a_size_may_be_a_number() {
    let scenario = parse(r#"{"image": {"filename": "b", "format": "raw", "size": 1000}}"#).unwrap();
    let Action::Image(image) = &scenario.lines[0].action else { panic!("an image") };
    assert_eq!(image.size, Some(1000));
}

#[test]
fn what_is_no_object_is_refused() {
    check_error("# x\n  7 ", "7", "not one object", "one JSON object on a line");
    let two = r#"{"execute": "a"} {"execute": "b"}"#;
    check_error(two, two, "not one object", "one JSON object on a line");
    check_error(
        "{\"exec\": \"quit\"}",
        "{\"exec\": \"quit\"}",
        "neither a command nor an image",
        "`execute`",
    );
}

#[test]
fn a_mistake_in_json_is_pointed_at() {
    let open = r#"{"execute": "a""#;
    let error = parse(open).unwrap_err();
    assert!(error.problem.to_string().starts_with("JSON parse error"), "{error}");
    let text = "# x\n{\"execute\": nul}";
    check_error(text, "nul", "JSON parse error, invalid keyword 'nul'", "one JSON object");
}

#[test]
fn single_quotes_are_as_good() {
    let scenario = parse("{'execute': 'quit'}").unwrap();
    assert_eq!(scenario.commands().next(), Some((1, &json!({"execute": "quit"}))));
    let text = "{'image': {'filename': 'a', 'format': 'bochs', 'size': 1}}";
    check_error(text, "'bochs'", "no image can be made in the format \"bochs\"", "raw, ");
}

#[test]
fn what_is_wrong_with_an_image_is_pointed_at() {
    let cases = [
        (r#"{"image": 7}"#, r#""image""#, "`image` is not an object", "write an object"),
        (r#"{"image": {"format": "raw"}}"#, r#""image""#, "`image` has no `filename`", "add"),
        (r#"{"image": {"filename": "a"}}"#, r#""image""#, "`image` has no `format`", "add"),
        (
            r#"{"image": {"filename": "a", "format": "raw"}}"#,
            r#""image""#,
            "`image` has no `size`",
            "\"size\": \"1M\"",
        ),
        (
            r#"{"image": {"filename": "a", "format": "bochs", "size": 1}}"#,
            r#""bochs""#,
            "no image can be made in the format \"bochs\"",
            "raw, qcow2, ",
        ),
        (
            r#"{"image": {"filename": "a", "format": "luks", "size": 1}}"#,
            r#""image""#,
            "`image` has no `secret`",
            "add",
        ),
        (
            r#"{"image": {"filename": "a", "format": "vdi", "size": 1, "options": {"x": "y"}}}"#,
            r#""x""#,
            "`options` has no member `x`",
            "known members",
        ),
        (
            r#"{"image": {"filename": "a", "format": "qcow2", "size": 1, "options": {"data_file": "/b"}}}"#,
            r#""/b""#,
            "'/b' is not a plain file name",
            "run's own directory",
        ),
        (
            r#"{"image": {"filename": "a", "format": "vmdk", "size": 1, "options": {"subformat": "flat"}}}"#,
            r#""flat""#,
            "'flat' is not a subformat of vmdk",
            "monolithicFlat",
        ),
        (
            r#"{"image": {"filename": "a", "format": "raw", "size": "1 M"}}"#,
            r#""1 M""#,
            "\"1 M\" is not a size",
            "64K",
        ),
        (
            r#"{"image": {"filename": "a", "format": "raw", "size": -1}}"#,
            "-1",
            "-1 is not a size",
            "64K",
        ),
        (
            r#"{"image": {"filename": "../é", "format": "raw", "size": 1}}"#,
            r#""../é""#,
            "'../é' is not a plain file name",
            "run's own directory",
        ),
        (
            r#"{"image": {"filename": "a", "formt": "raw", "size": 1}}"#,
            r#""formt""#,
            "`image` has no member `formt`",
            "`filename`, `format`, `size`, `backing`",
        ),
        (
            r#"{"image": {"filename": "é", "format": "raw", "size": 1, "backing": "b"}}"#,
            r#""backing""#,
            "a raw image has no backing file",
            "qcow2",
        ),
        (
            r#"{"image": {"filename": "a", "format": "qcow2", "backing": {"format": "raw"}}}"#,
            r#""backing""#,
            "`backing` has no `filename`",
            "add",
        ),
        (
            r#"{"image": {"filename": "a", "format": "raw", "size": 1}, "execute": "quit"}"#,
            r#""execute""#,
            "`execute` beside `image`",
            "a line of its own",
        ),
    ];
    for (text, place, message, help) in cases {
        check_error(text, place, message, help);
    }
}

#[test]
fn a_missing_file_is_told_with_its_cause() {
    let error = Scenario::load(Path::new("nowhere/x.qmp")).unwrap_err();
    assert_eq!(error.to_string(), "failed to read 'nowhere/x.qmp'");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_scenario_opens_no_file_outside_of_its_directory() {
    let add = |filename: &str| {
        format!(
            "{{\"execute\": \"blockdev-add\", \"arguments\": {{\"driver\": \"raw\", \"file\": \
             {{\"driver\": \"file\", \"filename\": \"{filename}\"}}}}}}"
        )
    };
    assert!(parse(&add("./disk.raw")).is_ok());
    for filename in ["/srv/disk.raw", "../disk.raw"] {
        let message = format!("'{filename}' is outside of the run's directory");
        check_error(&add(filename), &format!("\"{filename}\""), &message, "blkperm serve");
    }
}
