//! The table of what a script can do next.

mod activity;
mod export;
mod filter;
mod job;
mod node;
mod opening;
mod query;
mod reopen;
mod snapshot;
mod stranger;

pub(crate) use opening::opening;

use serde_json::{Map, Value, json};

use crate::scene::Scene;

/// Makes a command that fits the scene; none when nothing fits.
pub(crate) type Recipe = fn(&mut Scene) -> Option<Value>;

/// What a script can do after its opening, and how often it tries to. A further driver, export,
/// job or verb is a further line.
pub(crate) const RECIPES: &[(u32, Recipe)] = &[
    (5, node::null),
    (3, node::file),
    (5, node::raw),
    (6, node::qcow2),
    (5, node::format),
    (7, filter::filter),
    (6, filter::quorum),
    (12, stranger::blkdebug),
    (8, node::delete),
    (10, reopen::reopen),
    (7, snapshot::snapshot),
    (6, snapshot::snapshot_sync),
    (10, snapshot::transaction),
    (12, reopen::change_child),
    (3, activity::set_active),
    (7, node::resize),
    (8, export::add),
    (5, export::delete),
    (1, export::start_server),
    (1, export::stop_server),
    (20, job::mirror),
    (20, job::commit),
    (14, job::stream),
    (14, job::backup),
    (44, job::verb),
    (1, job::verb_of_nobody),
    (2, query::any),
];

/// The arguments of a command, made one by one.
#[derive(Default)]
struct Arguments(Map<String, Value>);

impl Arguments {
    fn with(mut self, name: &str, value: impl Into<Value>) -> Arguments {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Arguments {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// A command with these arguments.
    fn of(self, command: &str) -> Value {
        json!({"execute": command, "arguments": self.0})
    }

    fn object(self) -> Value {
        Value::Object(self.0)
    }
}
