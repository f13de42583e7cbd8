//! A deserializer that goes through a type and the schema side by side, and panics where they
//! differ.

use std::cell::RefCell;
use std::collections::BTreeMap;

use blkperm_qmp::qapi::{ALTERNATE, UNION};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde_json::Value;

/// Below how many members those are left out that are optional, so that a struct that has itself among
/// its members comes to an end.
const DEEPEST: usize = 200;

/// A schema by the names of its entities.
pub(crate) struct Schema {
    commands: Vec<String>,
    entities: BTreeMap<String, Value>,
}

impl Schema {
    pub(crate) fn parse(text: &str) -> Self {
        let mut schema: Value = serde_json::from_str(text).expect("JSON");
        let commands = serde_json::from_value(schema["commands"].take()).expect("names");
        let entities = schema["entities"].as_array().expect("a list").iter();
        let named = entities
            .map(|entity| (entity["name"].as_str().expect("a name").to_owned(), entity.clone()));
        Self { commands, entities: named.collect() }
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &str> {
        self.commands.iter().map(String::as_str)
    }

    /// The type of a command's arguments.
    pub(crate) fn arguments(&self, command: &str) -> &Value {
        self.entity(&self.entity(command)["arg-type"])
    }

    pub(crate) fn check<'s>(
        &'s self,
        coverage: &'s Coverage,
        entity: &'s Value,
        path: &str,
    ) -> Check<'s> {
        Check { schema: self, coverage, entity, path: path.to_owned(), optional: false }
    }

    fn entity(&self, name: impl EntityName) -> &Value {
        let name = name.entity_name();
        self.entities.get(name).unwrap_or_else(|| panic!("no entity {name}"))
    }
}

trait EntityName {
    fn entity_name(&self) -> &str;
}

impl EntityName for &str {
    fn entity_name(&self) -> &str {
        self
    }
}

impl EntityName for &Value {
    fn entity_name(&self) -> &str {
        self.as_str().expect("a name")
    }
}

/// How often each branch of a union or alternate has been gone through.
#[derive(Default)]
pub(crate) struct Coverage(RefCell<BTreeMap<(&'static str, &'static str), usize>>);

impl Coverage {
    /// Runs `check` until every branch that was met has been gone through.
    pub(crate) fn until_complete(&self, mut check: impl FnMut()) {
        check();
        while self.0.borrow().values().any(|&times| times == 0) {
            check();
        }
    }

    pub(crate) fn has(&self, container: &'static str, branch: &'static str) -> bool {
        self.0.borrow().contains_key(&(container, branch))
    }

    /// The branch that has been gone through least, so that recursive types come to an end.
    fn choose(&self, container: &'static str, branches: &'static [&'static str]) -> &'static str {
        let mut times = self.0.borrow_mut();
        let count = |branch: &&&'static str| *times.entry((container, branch)).or_default();
        let chosen = branches.iter().min_by_key(count).expect("a branch");
        *times.entry((container, chosen)).or_default() += 1;
        chosen
    }
}

/// Stands for a value of a type of the schema.
#[derive(Clone)]
pub(crate) struct Check<'s> {
    schema: &'s Schema,
    coverage: &'s Coverage,
    entity: &'s Value,
    path: String,
    /// An `Option` is due.
    optional: bool,
}

impl<'s> Check<'s> {
    fn with(&self, entity: &'s Value, path: String, optional: bool) -> Self {
        let Self { schema, coverage, .. } = *self;
        Self { schema, coverage, entity, path, optional }
    }

    fn list(&self, key: &str) -> &'s [Value] {
        self.entity[key].as_array().map_or(&[], Vec::as_slice)
    }

    fn names(&self, list: &str, key: &str) -> Vec<&'s str> {
        self.list(list).iter().map(|item| item[key].as_str().expect("a name")).collect()
    }

    fn expect(&self, meta_type: &str) {
        assert!(!self.optional, "{} is optional", self.path);
        assert_eq!(self.entity["meta-type"], meta_type, "meta-type of {}", self.path);
    }

    fn expect_builtin(&self, name: &str) {
        assert!(!self.optional, "{} is optional", self.path);
        assert_eq!(self.entity["name"], name, "type of {}", self.path);
    }

    /// The member of this name, as the type of the schema that it has.
    fn member(&self, name: &str) -> Self {
        let member =
            self.list("members").iter().find(|member| member["name"] == name).expect("a member");
        let entity = self.schema.entity(&member["type"]);
        self.with(entity, format!("{}.{name}", self.path), member.get("default").is_some())
    }

    /// The branch of a union, or of an alternate by JSON type.
    fn branch(&self, name: &str) -> Self {
        let variants = self.list("variants").iter();
        let union =
            variants.filter(|variant| variant["case"] == name).map(|variant| &variant["type"]);
        let members = self.list("members").iter().map(|member| &member["type"]);
        let mut alternate = members.filter(|kind| json_type(self.schema.entity(*kind)) == name);
        let mut union = union;
        let kind = union.next().or_else(|| alternate.next());
        let kind = kind.unwrap_or_else(|| panic!("{} has no branch {name}", self.path));
        self.with(self.schema.entity(kind), format!("{}({name})", self.path), false)
    }
}

/// The JSON type of a type of the schema.
fn json_type(entity: &Value) -> &str {
    match entity["meta-type"].as_str().expect("a meta-type") {
        "builtin" => entity["json-type"].as_str().expect("a JSON type"),
        "enum" => "string",
        other => other,
    }
}

macro_rules! builtins {
    ($($method:ident $visit:ident $name:literal $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.expect_builtin($name);
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Check<'_> {
    type Error = Error;

    builtins! {
        deserialize_bool visit_bool "bool" false;
        deserialize_i8 visit_i8 "int" 0;
        deserialize_i16 visit_i16 "int" 0;
        deserialize_i32 visit_i32 "int" 0;
        deserialize_i64 visit_i64 "int" 0;
        deserialize_u8 visit_u8 "int" 0;
        deserialize_u16 visit_u16 "int" 0;
        deserialize_u32 visit_u32 "int" 0;
        deserialize_u64 visit_u64 "int" 0;
        deserialize_f64 visit_f64 "number" 0.0;
        deserialize_str visit_str "str" "";
        deserialize_string visit_str "str" "";
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        assert!(self.optional, "{} is mandatory", self.path);
        self.optional = false;
        if self.path.matches('.').count() > DEEPEST {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.expect("array");
        let element = self.schema.entity(&self.entity["element-type"]);
        visitor.visit_seq(One(Some(self.with(element, format!("{}[]", self.path), false))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.expect("object");
        let Some(union) = name.strip_prefix(UNION) else {
            assert!(self.entity.get("tag").is_none(), "{} is a union", self.path);
            assert_eq!(fields, self.names("members", "name"), "members of {}", self.path);
            return visitor.visit_map(Members { check: self, fields: fields.iter() });
        };
        let [_, tag] = *fields else { panic!("{union} needs two fields") };
        assert_eq!(self.entity["tag"], tag, "discriminator of {}", self.path);
        visitor.visit_map(Parts { union, check: self, fields: fields.iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(name) = name.strip_prefix(ALTERNATE) {
            self.expect("alternate");
            assert_eq!(variants.len(), self.list("members").len(), "branches of {}", self.path);
            let branch = self.coverage.choose(name, variants);
            return visitor.visit_enum(Branch { name: branch, check: self.branch(branch) });
        }
        self.expect("enum");
        assert_eq!(variants, self.names("members", "name"), "values of {}", self.path);
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(variants[0]))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        panic!("{} is of no type of QAPI", self.path)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct map identifier ignored_any
    }
}

/// A list of one element.
struct One<'s>(Option<Check<'s>>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|check| seed.deserialize(check)).transpose()
    }
}

/// The members of a struct.
struct Members<'s> {
    check: Check<'s>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let name = self.fields.as_slice().first();
        name.map(|name| seed.deserialize(text(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.check.member(self.fields.next().expect("a key first")))
    }
}

/// The base and the branch of a union.
struct Parts<'s> {
    union: &'static str,
    check: Check<'s>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let name = self.fields.as_slice().first();
        name.map(|name| seed.deserialize(text(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.fields.next();
        if self.fields.len() == 0 {
            return seed.deserialize(Branches { union: self.union, check: self.check.clone() });
        }
        // The base is a struct of its own, that has the union's members but no discriminator.
        let mut base = self.check.entity.clone();
        let base = base.as_object_mut().expect("an object");
        base.shift_remove("tag");
        let entity = Value::Object(base.clone());
        let path = format!("{}(base)", self.check.path);
        seed.deserialize(self.check.with(Box::leak(Box::new(entity)), path, false))
    }
}

/// The enum of a union's branches.
struct Branches<'s> {
    union: &'static str,
    check: Check<'s>,
}

impl<'de> Deserializer<'de> for Branches<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = self.check.coverage.choose(self.union, variants);
        visitor.visit_enum(Branch { name, check: self.check.branch(name) })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        panic!("the branches of {} are no enum", self.check.path)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The branch that has been chosen.
struct Branch<'s> {
    name: &'static str,
    check: Check<'s>,
}

impl<'de, 's> EnumAccess<'de> for Branch<'s> {
    type Error = Error;
    type Variant = Check<'s>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Check<'s>), Error> {
        Ok((seed.deserialize(text(self.name))?, self.check))
    }
}

impl<'de> VariantAccess<'de> for Check<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        let null = self.entity["name"] == "null";
        assert!(null || self.list("members").is_empty(), "{} has members", self.path);
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }
}

fn text(name: &str) -> StrDeserializer<'_, Error> {
    name.into_deserializer()
}
