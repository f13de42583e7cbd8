//! QAPI types out of JSON values, with the errors of QEMU's QAPI visitors.
//!
//! A type is a plain serde struct whose fields stand in schema order and carry QAPI's names;
//! optional members are `Option`s. Three things of QAPI that serde has no word for are told by the
//! name of the container:
//!
//! | QAPI | Rust | marked by |
//! |---|---|---|
//! | flat union | a struct of two fields: the base, and an enum with one variant per branch; the name of the second is the discriminator, which the base holds too | `#[serde(rename = "union X")]` on the struct |
//! | alternate | an enum with one variant per JSON type: `object`, `string`, `null`, … | `#[serde(rename = "alternate X")]` |
//! | enum | an enum of unit variants | |
//!
//! Members are visited in the order of the struct and the first fault is reported; members that
//! nobody has asked for come last. A branch that is in the schema but not in the enum is
//! [`CommandError::Unimplemented`].
//!
//! ```
//! # use blkperm_qmp::qapi;
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! struct SetSpeed { device: String, speed: i64, dry_run: Option<bool> }
//!
//! let arguments = serde_json::json!({"speed": "fast", "device": "job0"});
//! let error = qapi::from_arguments::<SetSpeed>(arguments.as_object().unwrap()).err().unwrap();
//! assert_eq!(error.to_string(), "Invalid parameter type for 'speed', expected: integer");
//! ```

pub mod flat;
mod hash_order;
pub mod keyval;
mod missing;
mod object;
mod parameter;
mod path;
mod scalar;

#[cfg(test)]
mod tests;

pub(crate) use hash_order::qdict_order;

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use crate::CommandError;
use object::Object;
use path::Path;

/// What the name of a flat union's struct begins with.
pub const UNION: &str = "union ";

/// What the name of an alternate's enum begins with.
pub const ALTERNATE: &str = "alternate ";

/// Objects and lists inside of one another that a command's arguments may have.
///
/// QEMU knows no such limit of its own, only the reader's 1024; here it keeps what walks such a
/// value recursively within a thread's stack. More is [`CommandError::Unimplemented`].
pub const MAX_DEPTH: usize = 64;

/// How an object was written, which decides on what a scalar is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// As JSON: a number is a number.
    Json,
    /// As `key=value,…`, by [`keyval::parse`]: every scalar is a text.
    Keyval,
}

/// An object that was written in the given syntax.
///
/// # Errors
///
/// QEMU's first complaint, or that a part of the schema is not implemented.
pub fn from_object<'de, T: Deserialize<'de>>(
    members: &'de Map<String, Value>,
    syntax: Syntax,
) -> Result<T, CommandError> {
    read(members, syntax, PhantomData::<T>)
}

/// The arguments of a command.
///
/// # Errors
///
/// As [`from_object`].
pub fn from_arguments<'de, T: Deserialize<'de>>(
    arguments: &'de Map<String, Value>,
) -> Result<T, CommandError> {
    from_arguments_seed(arguments, PhantomData::<T>)
}

/// The arguments of a command, read by a seed.
///
/// # Errors
///
/// As [`from_object`].
pub fn from_arguments_seed<'de, S: DeserializeSeed<'de>>(
    arguments: &'de Map<String, Value>,
    seed: S,
) -> Result<S::Value, CommandError> {
    read(arguments, Syntax::Json, seed)
}

fn read<'de, S: DeserializeSeed<'de>>(
    members: &'de Map<String, Value>,
    syntax: Syntax,
    seed: S,
) -> Result<S::Value, CommandError> {
    Object::new(members).visit(&Path::Root(syntax), |members| seed.deserialize(members))
}
