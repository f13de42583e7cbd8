//! Scripts: images and commands, not yet in a file.

use std::fmt;
use std::path::Path;

use blkperm_qmp::scenario::{Action, Image, Scenario};
use serde_json::{Map, Value, json};

/// Images and commands, in the order in which they are made and played.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Script {
    /// The images and commands.
    pub actions: Vec<Action>,
}

impl Script {
    /// The script as a scenario, with one line for each action.
    ///
    /// # Panics
    ///
    /// When an action is none that a scenario can have, like a command without `execute`.
    pub fn scenario(&self, name: &str) -> Scenario {
        let text = self.to_string();
        Scenario::parse(Path::new(name), &text).expect("a script's lines are a scenario's")
    }

    /// The commands.
    pub fn commands(&self) -> impl Iterator<Item = &Value> {
        self.actions.iter().filter_map(|action| match action {
            Action::Command(command) => Some(command),
            Action::Image(_) => None,
        })
    }
}

/// Writes one line for each action, as a scenario file has them.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.actions.iter().try_for_each(|action| match action {
            Action::Image(image) => writeln!(f, "{}", json!({"image": image_value(image)})),
            Action::Command(command) => writeln!(f, "{command}"),
        })
    }
}

/// An image as a scenario's line describes it.
pub(crate) fn image_value(image: &Image) -> Value {
    let mut value = Map::new();
    value.insert("filename".to_owned(), json!(image.filename));
    value.insert("format".to_owned(), json!(image.format.name()));
    if let Some(size) = image.size {
        value.insert("size".to_owned(), json!(size));
    }
    if let Some(backing) = &image.backing {
        let backing = json!({"filename": backing.filename, "format": backing.format.name()});
        value.insert("backing".to_owned(), backing);
    }
    if !image.options.is_empty() {
        value.insert("options".to_owned(), json!(image.options));
    }
    if let Some(secret) = &image.secret {
        value.insert("secret".to_owned(), json!(secret));
    }
    Value::Object(value)
}
