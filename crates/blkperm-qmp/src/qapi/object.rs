//! Objects: structs and flat unions.

use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use super::missing::Missing;
use super::parameter::Parameter;
use super::path::Path;
use super::{UNION, hash_order};
use crate::CommandError;

/// An object, and which of its members have been asked for.
pub(super) struct Object<'de> {
    members: &'de Map<String, Value>,
    visited: RefCell<Vec<&'de str>>,
}

impl<'de> Object<'de> {
    pub(super) fn new(members: &'de Map<String, Value>) -> Self {
        Self { members, visited: RefCell::default() }
    }

    /// Lets `read` ask for members, then refuses those that it did not ask for.
    pub(super) fn visit<T>(
        &self,
        path: &Path<'_>,
        read: impl FnOnce(Members<'de, '_>) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let value = read(Members { object: self, path })?;
        match hash_order::first_unvisited(self.members, &self.visited.borrow()) {
            Some(name) => Err(Path::Member(path, name).unexpected()),
            None => Ok(value),
        }
    }

    fn take(&self, name: &str) -> Option<&'de Value> {
        let (name, value) = self.members.get_key_value(name)?;
        self.visited.borrow_mut().push(name);
        Some(value)
    }
}

/// Some of an object's members: a struct, the base of a union, or one of its branches.
#[derive(Clone, Copy)]
pub(super) struct Members<'de, 'o> {
    object: &'o Object<'de>,
    path: &'o Path<'o>,
}

impl<'de> Deserializer<'de> for Members<'de, '_> {
    type Error = CommandError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        if name.starts_with(UNION) {
            visitor.visit_map(UnionParts { members: self, fields: fields.iter() })
        } else {
            visitor.visit_map(MembersInOrder {
                members: self,
                fields: fields.iter(),
                current: None,
            })
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CommandError> {
        Err(serde::de::Error::custom("the members of an object can only be those of a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The members of a struct in the order of its fields, those that are absent included.
struct MembersInOrder<'de, 'o> {
    members: Members<'de, 'o>,
    fields: std::slice::Iter<'static, &'static str>,
    current: Option<&'static str>,
}

impl<'de> MapAccess<'de> for MembersInOrder<'de, '_> {
    type Error = CommandError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CommandError> {
        self.current = self.fields.next().copied();
        self.current.map(|name| seed.deserialize(str_deserializer(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, CommandError> {
        let name = self.current.unwrap_or_default();
        let path = Path::Member(self.members.path, name);
        match self.members.object.take(name) {
            Some(value) => seed.deserialize(Parameter { value, path }),
            None => seed.deserialize(Missing(path)),
        }
    }
}

/// The two parts of a flat union: its base, then the branch.
struct UnionParts<'de, 'o> {
    members: Members<'de, 'o>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for UnionParts<'de, '_> {
    type Error = CommandError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CommandError> {
        let name = self.fields.as_slice().first();
        name.map(|name| seed.deserialize(str_deserializer(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, CommandError> {
        let members = self.members;
        let name = self.fields.next().copied().unwrap_or_default();
        if self.fields.len() > 0 {
            return seed.deserialize(members);
        }
        seed.deserialize(Branch { members, discriminator: name })
    }
}

/// The branch of a union that the value of its discriminator selects.
struct Branch<'de, 'o> {
    members: Members<'de, 'o>,
    discriminator: &'static str,
}

impl<'de> Deserializer<'de> for Branch<'de, '_> {
    type Error = CommandError;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        let value = self.members.object.members.get(self.discriminator);
        let value = value.and_then(Value::as_str).unwrap_or_default();
        if !variants.contains(&value) {
            let member = self.discriminator.to_owned();
            return Err(CommandError::Unimplemented { member, value: value.to_owned() });
        }
        visitor.visit_enum(BranchAccess { name: value, members: self.members })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CommandError> {
        Err(serde::de::Error::custom("the branches of a union can only be an enum"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct BranchAccess<'de, 'o> {
    name: &'de str,
    members: Members<'de, 'o>,
}

impl<'de, 'o> EnumAccess<'de> for BranchAccess<'de, 'o> {
    type Error = CommandError;
    type Variant = Members<'de, 'o>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), CommandError> {
        Ok((seed.deserialize(str_deserializer(self.name))?, self.members))
    }
}

impl<'de> VariantAccess<'de> for Members<'de, '_> {
    type Error = CommandError;

    fn unit_variant(self) -> Result<(), CommandError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, CommandError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        self.deserialize_struct("", fields, visitor)
    }
}

fn str_deserializer(name: &str) -> StrDeserializer<'_, CommandError> {
    name.into_deserializer()
}
