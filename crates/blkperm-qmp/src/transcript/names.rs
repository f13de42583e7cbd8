//! Generated node names, compared by place.

use serde_json::Value;
use std::collections::HashMap;

/// Which generated name of one transcript stands where the other has which.
///
/// QEMU builds them from a counter and two random digits (`#block012`, `id_generate` in
/// `util/id.c`), so equal runs have different names in the same places.
#[derive(Clone, Default)]
pub(super) struct Names {
    to_right: HashMap<String, String>,
    to_left: HashMap<String, String>,
}

impl Names {
    /// Whether the two texts are equal but for generated names that are counterparts; names seen
    /// for the first time become counterparts.
    pub(super) fn agree(&mut self, left: &str, right: &str) -> bool {
        if !left.contains(PREFIX) {
            return left == right;
        }
        let (left, right) = (pieces(left), pieces(right));
        let before = self.clone();
        let agreed = left.len() == right.len()
            && left.iter().zip(&right).all(|(l, r)| match (is_generated(l), is_generated(r)) {
                (true, true) => self.pair(l, r),
                _ => l == r,
            });
        if !agreed {
            *self = before;
        }
        agreed
    }

    /// [`Names::agree`] for whole values; the order of an object's members means nothing.
    pub(super) fn agree_values(&mut self, left: &Value, right: &Value) -> bool {
        let before = self.clone();
        let agreed = match (left, right) {
            (Value::String(left), Value::String(right)) => self.agree(left, right),
            (Value::Array(left), Value::Array(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(l, r)| self.agree_values(l, r))
            }
            (Value::Object(left), Value::Object(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|(key, l)| right.get(key).is_some_and(|r| self.agree_values(l, r)))
            }
            _ => left == right,
        };
        if !agreed {
            *self = before;
        }
        agreed
    }

    /// Pairs the generated names that have no counterpart yet, in order of appearance.
    pub(super) fn pair_in_order<'a>(
        &mut self,
        left: impl Iterator<Item = &'a str>,
        right: impl Iterator<Item = &'a str>,
    ) {
        let left: Vec<&str> =
            left.filter(|name| is_generated(name) && !self.to_right.contains_key(*name)).collect();
        let right: Vec<&str> =
            right.filter(|name| is_generated(name) && !self.to_left.contains_key(*name)).collect();
        for (left, right) in left.into_iter().zip(right) {
            self.pair(left, right);
        }
    }

    /// The text of the left transcript with each generated name replaced by its counterpart.
    pub(super) fn translate(&self, left: &str) -> String {
        let piece = |piece| self.to_right.get(piece).map_or(piece, String::as_str);
        pieces(left).into_iter().map(piece).collect()
    }

    fn pair(&mut self, left: &str, right: &str) -> bool {
        match (self.to_right.get(left), self.to_left.get(right)) {
            (None, None) => {
                self.to_right.insert(left.to_owned(), right.to_owned());
                self.to_left.insert(right.to_owned(), left.to_owned());
                true
            }
            (known, _) => known.is_some_and(|known| known == right),
        }
    }
}

const PREFIX: &str = "#block";

fn is_generated(piece: &str) -> bool {
    let digits = piece.strip_prefix(PREFIX).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits a text into generated names and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = text[from..].find(PREFIX) {
        let name = from + found;
        let digits = name + PREFIX.len();
        let length = text[digits..].bytes().take_while(u8::is_ascii_digit).count();
        from = digits + length;
        if length > 0 {
            pieces.extend([&text[start..name], &text[name..from]]);
            start = from;
        }
    }
    pieces.push(&text[start..]);
    pieces
}
