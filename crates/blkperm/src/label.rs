//! A command in as few words as tell it from the others of a scenario.

use serde_json::Value;

/// Which arguments of a command are told, each behind a word.
struct Label {
    command: &'static str,
    arguments: &'static [(&'static str, &'static str)],
}

const LABELS: &[Label] = &[
    Label {
        command: "blockdev-add",
        arguments: &[
            ("", "node-name"),
            ("=", "driver"),
            ("of", "filename"),
            ("on", "file"),
            ("on", "image"),
            ("over", "backing"),
            ("taking", "take-child-perms"),
            ("unsharing", "unshare-child-perms"),
        ],
    },
    Label { command: "blockdev-del", arguments: &[("", "node-name")] },
    Label { command: "blockdev-mirror", arguments: &[("", "device"), ("to", "target")] },
    Label {
        command: "block-commit",
        arguments: &[("", "device"), ("from", "top-node"), ("to", "base-node")],
    },
    Label { command: "block-stream", arguments: &[("", "device"), ("down to", "base-node")] },
    Label { command: "blockdev-backup", arguments: &[("", "device"), ("to", "target")] },
    Label { command: "block-export-add", arguments: &[("", "id"), ("on", "node-name")] },
    Label { command: "nbd-server-start", arguments: &[] },
];

/// What is told of any other command: which job, device or export it is about, and how.
const OTHERS: &[(&str, &str)] =
    &[("", "id"), ("", "device"), ("", "node-name"), ("force", "force")];

/// The command's name and the arguments that matter, for example `block-commit top to base`.
pub(crate) fn label(command: &Value) -> String {
    let name = ["execute", "exec-oob"].iter().find_map(|key| command[key].as_str());
    let name = name.unwrap_or("?");
    let known = LABELS.iter().find(|label| label.command == name);
    let arguments = known.map_or(OTHERS, |label| label.arguments);
    let mut words = vec![name.to_owned()];
    for (word, key) in arguments {
        if let Some(value) = few_words(&command["arguments"][key]) {
            words.extend((!word.is_empty()).then(|| (*word).to_owned()));
            words.push(value);
        }
    }
    shortened(&words.join(" "))
}

/// A label that fits a table's cell: what nobody would read to the end is cut.
fn shortened(label: &str) -> String {
    const MOST: usize = 160;
    match label.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &label[..end]),
        None => label.to_owned(),
    }
}

/// A value that can be told in few words: a text, `true`, a number, or a list of texts.
fn few_words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(true) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.filter(|items| !items.is_empty()).map(|items| items.join(", "))
        }
        Value::Bool(false) | Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_command_is_told_in_few_words() {
        let cases = [
            (json!({"execute": "quit"}), "quit"),
            (json!({"execute": 7}), "?"),
            (json!({"exec-oob": "job-pause", "arguments": {"id": "j0"}}), "job-pause j0"),
            (
                json!({"execute": "block-job-cancel", "arguments": {"device": "j0", "force": true}}),
                "block-job-cancel j0 force true",
            ),
            (
                json!({"execute": "block-commit", "arguments": {"device": "top", "base-node": "base"}}),
                "block-commit top to base",
            ),
            (
                json!({"execute": "blockdev-add", "arguments": {
                    "driver": "qcow2", "node-name": "top", "file": {"driver": "file"},
                    "backing": null,
                }}),
                "blockdev-add top = qcow2",
            ),
            (
                json!({"execute": "blockdev-add", "arguments": {
                    "driver": "blkdebug", "node-name": "other", "image": "mid",
                    "unshare-child-perms": ["consistent-read", "write"], "take-child-perms": [],
                }}),
                "blockdev-add other = blkdebug on mid unsharing consistent-read, write",
            ),
            (json!({"execute": "job-cancel", "arguments": []}), "job-cancel"),
        ];
        for (command, words) in cases {
            assert_eq!(label(&command), words);
        }
    }
}
