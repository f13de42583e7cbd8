//! Names numbered anew, so that a small script does not look like a piece of a large one.

use std::collections::HashMap;

use blkperm_qmp::scenario::Action;
use serde_json::Value;

use crate::script::Script;

/// The letters with which a script's own names begin: nodes, filters, jobs, exports, the exports'
/// names, and images.
const LETTERS: &str = "nfjexi";

/// The script with its names numbered from 0 for each letter, in the order in which they appear.
pub(crate) fn renumbered(script: &Script) -> Script {
    let mut names = Names::default();
    let mut script = script.clone();
    for action in &mut script.actions {
        match action {
            Action::Image(image) => {
                if let Some(backing) = &mut image.backing {
                    backing.filename = names.new_name(&backing.filename);
                }
                image.filename = names.new_name(&image.filename);
            }
            Action::Command(command) => {
                if let Some(arguments) = command.get_mut("arguments") {
                    names.rename(arguments);
                }
            }
        }
    }
    script
}

/// The new names by the old ones, and how many there are for each letter.
#[derive(Default)]
struct Names {
    new: HashMap<String, String>,
    counts: HashMap<char, usize>,
}

impl Names {
    fn rename(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.new_name(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            Value::Object(members) => members.values_mut().for_each(|value| self.rename(value)),
            _ => {}
        }
    }

    fn new_name(&mut self, text: &str) -> String {
        let (stem, suffix) = text.split_once('.').map_or((text, None), |(a, b)| (a, Some(b)));
        let Some(letter) = own_letter(stem) else { return text.to_owned() };
        let stem = self.new.entry(stem.to_owned()).or_insert_with(|| {
            let count = self.counts.entry(letter).or_default();
            *count += 1;
            format!("{letter}{}", *count - 1)
        });
        suffix.map_or_else(|| stem.clone(), |suffix| format!("{stem}.{suffix}"))
    }
}

/// The letter of a name that a script made itself.
fn own_letter(stem: &str) -> Option<char> {
    let letter = stem.chars().next().filter(|letter| LETTERS.contains(*letter))?;
    let digits = &stem[1..];
    let own = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    own.then_some(letter)
}
