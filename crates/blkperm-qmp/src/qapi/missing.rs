//! A member that is not there.

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::path::Path;
use crate::CommandError;

/// Stands for an absent member, so that serde asks for it at its turn: `None` if it is optional,
/// else an error.
pub(super) struct Missing<'p>(pub(super) Path<'p>);

impl<'de> Deserializer<'de> for Missing<'_> {
    type Error = CommandError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CommandError> {
        Err(self.0.missing())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
