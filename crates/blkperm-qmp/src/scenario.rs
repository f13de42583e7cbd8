//! Scenario files: images and QMP commands, one a line.
//!
//! A `.qmp` file has one JSON object a line, in QEMU's dialect. It is either a QMP command or an image to make, as in
//! `{"image": {"filename": "base.qcow2", "format": "qcow2", "size": "1M"}}`. Blank lines and lines
//! that begin with `#` are skipped; the comment at the head of the file begins with its title.

mod error;
mod image;
mod size;

pub use error::{LineError, Problem, ScenarioError};
pub use image::{Backing, Image, VmdkSubformat};

use crate::json::{self, Located};
use serde_json::Value;
use std::fs;
use std::path::{Component, Path};

/// A scenario: what it shows, and the images and commands that show it.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// The file's name without `.qmp`.
    pub name: String,
    /// What it shows, in one sentence: the first line of the leading comment, or empty.
    pub title: String,
    /// The rest of the leading comment.
    pub description: String,
    /// The images and commands.
    pub lines: Vec<Line>,
}

/// A line of a scenario that does something.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// The line as it is in the file, without the white space around it.
    pub text: String,
    /// What it does.
    pub action: Action,
}

/// What a line of a scenario does.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Makes an image in the run's own directory.
    Image(Image),
    /// Sends a QMP command: an object with `execute` or `exec-oob`.
    Command(Value),
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, and as [`Scenario::parse`] does.
    pub fn load(file: &Path) -> Result<Scenario, ScenarioError> {
        let text = fs::read_to_string(file)
            .map_err(|source| ScenarioError::Read { file: file.to_owned(), source })?;
        Ok(Scenario::parse(file, &text)?)
    }

    /// Reads the text of a file; `file` gives the scenario its name, and errors their place.
    ///
    /// # Errors
    ///
    /// Fails at the first line that is neither a command, an image, a comment nor blank.
    pub fn parse(file: &Path, text: &str) -> Result<Scenario, Box<LineError>> {
        let (title, description) = leading_comment(text);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let lines = text.lines().zip(1..).filter(|(line, _)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let lines = lines.map(|(text, number)| {
            let action = Action::parse(text)
                .map_err(|problem| Box::new(LineError::new(file, number, text, problem)))?;
            Ok(Line { number, text: text.trim().to_owned(), action })
        });
        Ok(Scenario {
            name,
            title,
            description,
            lines: lines.collect::<Result<_, Box<LineError>>>()?,
        })
    }

    /// The commands, each with the number of its line.
    pub fn commands(&self) -> impl Iterator<Item = (usize, &Value)> {
        self.lines.iter().filter_map(|line| match &line.action {
            Action::Command(command) => Some((line.number, command)),
            Action::Image(_) => None,
        })
    }
}

impl Action {
    fn parse(text: &str) -> Result<Action, Problem> {
        let mut values = json::read_all(text.as_bytes()).map_err(Problem::Json)?;
        let (Some(Located { value, .. }), None) = (values.pop(), values.pop()) else {
            return Err(Problem::NotAnObject);
        };
        let Value::Object(members) = &value else {
            return Err(Problem::NotAnObject);
        };
        if let Some(image) = members.get("image") {
            let image = Image::from_value(image)?;
            return match members.keys().find(|key| *key != "image") {
                Some(key) => Err(Problem::BesideImage(key.clone())),
                None => Ok(Action::Image(image)),
            };
        }
        if !members.contains_key("execute") && !members.contains_key("exec-oob") {
            return Err(Problem::NeitherImageNorCommand);
        }
        match outside(&value) {
            Some(filename) => Err(Problem::Outside(filename.to_owned())),
            None => Ok(Action::Command(value)),
        }
    }
}

/// A file name anywhere in a command that leads out of the run's directory.
fn outside(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| match value.as_str() {
            Some(path) if name == "filename" => {
                let leaves =
                    |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
                Path::new(path).components().any(leaves).then_some(path)
            }
            _ => outside(value),
        }),
        Value::Array(items) => items.iter().find_map(outside),
        _ => None,
    }
}

/// The first line of the comment at the head of a file, and the rest of it.
fn leading_comment(text: &str) -> (String, String) {
    let lines = text.lines().map_while(|line| line.trim().strip_prefix('#')).map(str::trim);
    let lines: Vec<&str> = lines.skip_while(|line| line.is_empty()).collect();
    match lines.split_first() {
        Some((title, rest)) => ((*title).to_owned(), rest.join("\n").trim().to_owned()),
        None => (String::new(), String::new()),
    }
}

#[cfg(test)]
mod tests;
