//! QAPI types as the flat dictionaries in which QEMU keeps a node's options: the member `filename`
//! of the member `file` is `file.filename`, and the first element of a list `children.0`.
//!
//! Source: `qdict_flatten` in `qobject/block-qdict.c`, QEMU 10.0.

use std::fmt::Display;

use serde::ser::{Error as _, Impossible, SerializeSeq, SerializeStruct, Serializer};
use serde::{Serialize, ser};
use serde_json::{Map, Value, json};

use super::{ALTERNATE, UNION};

/// Options by their flat names.
pub type Options = Map<String, Value>;

/// The options that a QAPI type says; see the parent module for how such types look.
///
/// # Panics
///
/// Panics when the type is none of QAPI's.
pub fn flatten(value: &impl Serialize) -> Options {
    let mut options = Options::new();
    let top = Place { options: &mut options, name: String::new(), kind: Kind::Object };
    value.serialize(top).expect("QAPI's types are structs, unions, alternates, lists and scalars");
    options
}

/// Why a type is none of QAPI's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotQapi(String);

impl ser::Error for NotQapi {
    fn custom<T: Display>(message: T) -> NotQapi {
        NotQapi(message.to_string())
    }
}

/// Where a value goes.
struct Place<'o> {
    options: &'o mut Options,
    name: String,
    kind: Kind,
}

/// What a struct is to the object whose members it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The object.
    Object,
    /// A union, whose two parts have the members of one object.
    Union,
    /// One of these two parts.
    Part,
}

impl Place<'_> {
    fn put(self, value: Value) -> Result<(), NotQapi> {
        self.options.insert(self.name, value);
        Ok(())
    }

    fn below(&mut self, name: &str) -> Place<'_> {
        let name = match self.name.as_str() {
            "" => name.to_owned(),
            above => format!("{above}.{name}"),
        };
        Place { options: self.options, name, kind: Kind::Object }
    }
}

/// The members of an object, or the elements of a list.
struct Members<'o> {
    place: Place<'o>,
    before: usize,
    count: usize,
    /// What is there if there are none.
    empty: Value,
}

impl<'o> Members<'o> {
    fn new(place: Place<'o>, empty: Value) -> Members<'o> {
        let before = place.options.len();
        Members { place, before, count: 0, empty }
    }

    fn end(self) -> Result<(), NotQapi> {
        let is_empty = self.place.options.len() == self.before;
        if is_empty && self.place.kind == Kind::Object && !self.place.name.is_empty() {
            return self.place.put(self.empty);
        }
        Ok(())
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = NotQapi;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotQapi> {
        if self.place.kind == Kind::Union {
            let Place { options, name, .. } = &mut self.place;
            return value.serialize(Place { options, name: name.clone(), kind: Kind::Part });
        }
        value.serialize(self.place.below(name))
    }

    fn end(self) -> Result<(), NotQapi> {
        self.end()
    }
}

impl SerializeSeq for Members<'_> {
    type Ok = ();
    type Error = NotQapi;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotQapi> {
        let index = self.count.to_string();
        self.count += 1;
        value.serialize(self.place.below(&index))
    }

    fn end(self) -> Result<(), NotQapi> {
        self.end()
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty,)*) => {$(
        fn $method(self, value: $type) -> Result<(), NotQapi> {
            self.put(json!(value))
        }
    )*};
}

type None = Impossible<(), NotQapi>;

impl<'o> Serializer for Place<'o> {
    type Ok = ();
    type Error = NotQapi;
    type SerializeSeq = Members<'o>;
    type SerializeStruct = Members<'o>;
    type SerializeTuple = None;
    type SerializeTupleStruct = None;
    type SerializeTupleVariant = None;
    type SerializeMap = None;
    type SerializeStructVariant = None;

    scalars! {
        serialize_bool bool, serialize_f32 f32, serialize_f64 f64, serialize_str &str,
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
    }

    fn serialize_none(self) -> Result<(), NotQapi> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotQapi> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotQapi> {
        self.put(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotQapi> {
        if self.kind == Kind::Part {
            // The base says which branch it is.
            return Ok(());
        }
        let is_null = name.starts_with(ALTERNATE) && variant == "null";
        self.put(if is_null { Value::Null } else { json!(variant) })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotQapi> {
        value.serialize(self)
    }

    /// A branch of a union or of an alternate.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotQapi> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'o>, NotQapi> {
        Ok(Members::new(self, json!([])))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Members<'o>, NotQapi> {
        let kind = if name.starts_with(UNION) { Kind::Union } else { self.kind };
        Ok(Members::new(Place { kind, ..self }, json!({})))
    }

    fn serialize_char(self, _: char) -> Result<(), NotQapi> {
        Err(NotQapi::custom("a character"))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), NotQapi> {
        Err(NotQapi::custom("bytes"))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), NotQapi> {
        Err(NotQapi::custom(name))
    }

    fn serialize_tuple(self, _: usize) -> Result<None, NotQapi> {
        Err(NotQapi::custom("a tuple"))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<None, NotQapi> {
        Err(NotQapi::custom(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<None, NotQapi> {
        Err(NotQapi::custom(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<None, NotQapi> {
        Err(NotQapi::custom("a map"))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<None, NotQapi> {
        Err(NotQapi::custom(name))
    }
}

#[cfg(test)]
mod tests {
    use super::flatten;
    use crate::command::blockdev::BlockdevOptions;
    use crate::qapi;
    use serde_json::{Value, json};

    fn flattened(options: Value) -> Value {
        let options = options.as_object().expect("an object");
        Value::Object(flatten(&qapi::from_arguments::<BlockdevOptions>(options).unwrap()))
    }

    #[test]
    fn options_have_the_names_that_qemu_gives_them() {
        let options = json!({
            "driver": "qcow2", "node-name": "a", "cache": {"direct": true}, "backing": null,
            "file": {"driver": "raw", "file": {"driver": "null-co"}}, "overlap-check": {},
        });
        let flat = json!({
            "driver": "qcow2", "node-name": "a", "cache.direct": true, "backing": null,
            "file.driver": "raw", "file.file.driver": "null-co", "overlap-check": {},
        });
        assert_eq!(flattened(options), flat);
        let options = json!({
            "driver": "blkdebug", "image": "a", "take-child-perms": ["write", "resize"],
            "unshare-child-perms": [],
        });
        let flat = json!({
            "driver": "blkdebug", "image": "a", "take-child-perms.0": "write",
            "take-child-perms.1": "resize", "unshare-child-perms": [],
        });
        assert_eq!(flattened(options), flat);
    }
}
