//! A value that is there.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, SeqAccess, VariantAccess, Visitor,
};
use serde_json::Value;

use super::object::Object;
use super::path::Path;
use super::{ALTERNATE, Syntax, scalar};
use crate::CommandError;

/// A value and its name.
#[derive(Clone, Copy)]
pub(super) struct Parameter<'de, 'p> {
    pub(super) value: &'de Value,
    pub(super) path: Path<'p>,
}

impl<'de> Parameter<'de, '_> {
    /// The text from which a scalar is to be read, where scalars are written as text.
    fn keyval(self) -> Result<Option<&'de str>, CommandError> {
        match (self.path.syntax(), self.value.as_str()) {
            (Syntax::Json, _) => Ok(None),
            (Syntax::Keyval, Some(text)) => Ok(Some(text)),
            (Syntax::Keyval, None) => Err(self.path.unexpected_members()),
        }
    }

    fn text(self) -> Result<&'de str, CommandError> {
        let text = self.keyval()?.or_else(|| self.value.as_str());
        text.ok_or_else(|| self.path.invalid_type("string"))
    }

    fn boolean(self) -> Result<bool, CommandError> {
        match self.keyval()? {
            Some(text) => scalar::boolean(text).ok_or_else(|| self.path.not("'on' or 'off'")),
            None => self.value.as_bool().ok_or_else(|| self.path.invalid_type("boolean")),
        }
    }

    fn integer(self) -> Result<i64, CommandError> {
        match self.keyval()? {
            Some(text) => scalar::signed(text).ok_or_else(|| self.path.not("integer")),
            None => self.value.as_i64().ok_or_else(|| self.path.invalid_type("integer")),
        }
    }

    /// An unsigned integer; a negative one is taken modulo 2^64, as QEMU does for old clients.
    fn unsigned(self) -> Result<u64, CommandError> {
        let wrapped = || self.value.as_i64().map(i64::cast_unsigned);
        match self.keyval()? {
            Some(text) => scalar::unsigned(text).ok_or_else(|| self.path.not("integer")),
            None => self.value.as_u64().or_else(wrapped).ok_or_else(|| self.path.not("uint64")),
        }
    }

    fn float(self) -> Result<f64, CommandError> {
        match self.keyval()? {
            Some(text) => text.parse().map_err(|_| self.path.not("number")),
            None => self.value.as_f64().ok_or_else(|| self.path.invalid_type("number")),
        }
    }

    fn narrow<Wide, Narrow: TryFrom<Wide>>(
        &self,
        number: Wide,
        type_name: &str,
    ) -> Result<Narrow, CommandError> {
        Narrow::try_from(number).map_err(|_| self.path.out_of_range(type_name))
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $wide:ident $type_name:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
            let number = self.$wide()?;
            visitor.$visit(self.narrow(number, $type_name)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Parameter<'de, '_> {
    type Error = CommandError;

    integers! {
        deserialize_i8 visit_i8 integer "int8_t";
        deserialize_i16 visit_i16 integer "int16_t";
        deserialize_i32 visit_i32 integer "int32_t";
        deserialize_u8 visit_u8 unsigned "uint8_t";
        deserialize_u16 visit_u16 unsigned "uint16_t";
        deserialize_u32 visit_u32 unsigned "uint32_t";
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_u64(self.unsigned()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        if !self.value.is_null() {
            return Err(self.path.invalid_type("null"));
        }
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        let elements = self.value.as_array().ok_or_else(|| self.path.invalid_type("array"))?;
        self.path.check_depth()?;
        visitor.visit_seq(Elements { elements: elements.iter().enumerate(), path: self.path })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        let members = self.value.as_object().ok_or_else(|| self.path.invalid_type("object"))?;
        self.path.check_depth()?;
        Object::new(members)
            .visit(&self.path, |members| members.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CommandError> {
        if let Some(expected) = name.strip_prefix(ALTERNATE) {
            let json_type = json_type(self.value);
            if !variants.contains(&json_type) {
                return Err(self.path.invalid_alternate(expected));
            }
            return visitor.visit_enum(Alternative { json_type, parameter: self });
        }
        let text = self.text()?;
        if !variants.contains(&text) {
            return Err(self.path.invalid_value(text));
        }
        visitor.visit_enum(IntoDeserializer::<CommandError>::into_deserializer(text))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CommandError> {
        self.value.deserialize_any(visitor).map_err(serde::de::Error::custom)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 char bytes byte_buf unit_struct tuple tuple_struct map identifier ignored_any
    }
}

/// The name of the variant of an alternate that takes such a value.
fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The elements of a list.
struct Elements<'de, 'p> {
    elements: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    path: Path<'p>,
}

impl<'de> SeqAccess<'de> for Elements<'de, '_> {
    type Error = CommandError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, CommandError> {
        let Some((index, value)) = self.elements.next() else {
            return Ok(None);
        };
        let path = Path::Element(&self.path, index);
        seed.deserialize(Parameter { value, path }).map(Some)
    }
}

/// The branch of an alternate that the type of a value selects.
struct Alternative<'de, 'p> {
    json_type: &'static str,
    parameter: Parameter<'de, 'p>,
}

impl<'de, 'p> EnumAccess<'de> for Alternative<'de, 'p> {
    type Error = CommandError;
    type Variant = Parameter<'de, 'p>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), CommandError> {
        let name: StrDeserializer<'_, CommandError> = self.json_type.into_deserializer();
        Ok((seed.deserialize(name)?, self.parameter))
    }
}

impl<'de> VariantAccess<'de> for Parameter<'de, '_> {
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
