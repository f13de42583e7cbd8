use quickcheck::{Arbitrary, Gen, quickcheck};
use serde_json::{Map, Number, Value};

use super::{Item, JsonError, MAX_BYTES, MAX_TOKENS, Reader, read_all};

fn error(text: &str) -> JsonError {
    read_all(text.as_bytes()).expect_err(text)
}

fn descriptions(items: impl Iterator<Item = Item>) -> Vec<String> {
    items
        .map(|item| item.map_or_else(|error| error.desc, |located| located.value.to_string()))
        .collect()
}

fn value(text: &str) -> Value {
    read_all(text.as_bytes()).expect(text).remove(0).value
}

#[test]
fn errors_point_at_the_mistake() {
    for (text, line, columns, desc) in [
        ("{'a': 1,\n 'a': 2}", 2, 2..5, "JSON parse error, duplicate key"),
        ("{'é': nul }", 1, 7..10, "JSON parse error, invalid keyword 'nul'"),
        ("['a\\qb']", 1, 4..6, "JSON parse error, invalid escape sequence in string"),
        ("['é\\ud800b']", 1, 4..10, "JSON parse error, \\ud800 is not a valid Unicode character"),
        ("\n\n [1 2]", 3, 5..6, "JSON parse error, expected separator in list"),
        ("[1", 1, 3..3, "JSON parse error, premature EOI"),
        ("  'ab", 1, 3..6, "JSON parse error, stray ''ab'"),
    ] {
        let error = error(text);
        assert_eq!(error.desc, desc);
        assert_eq!(
            (error.span.start.line, error.span.start.column),
            (line, columns.start),
            "{text}"
        );
        assert_eq!((error.span.end.line, error.span.end.column), (line, columns.end), "{text}");
    }
}

#[test]
fn values_know_where_they_stand() {
    let values = read_all(b" {}\n  [1,\n2] 5").unwrap();
    let places: Vec<_> = values
        .iter()
        .map(|v| (v.span.start.line, v.span.start.column, v.span.end.offset))
        .collect();
    assert_eq!(places, [(1, 2, 3), (2, 3, 12), (3, 4, 14)]);
}

#[test]
fn numbers_are_integers_or_floats_as_written() {
    assert!(value("1").is_i64() && value("-1").is_i64());
    assert!(value("9223372036854775808").is_u64());
    assert!(
        value("1.0").is_f64() && value("1e3").is_f64() && value("18446744073709551616").is_f64()
    );
    assert_eq!(value("1e400").as_f64(), Some(f64::MAX));
    assert_eq!(value("-0"), 0);
}

#[test]
fn members_keep_their_order() {
    let value = value("{'z': 1, 'a': 2, 'm': 3}");
    assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["z", "a", "m"]);
}

#[test]
fn the_end_completes_or_breaks_a_token() {
    for (text, expected) in [
        ("12", Some("12")),
        ("true", Some("true")),
        ("tru", Some("JSON parse error, invalid keyword 'tru'")),
        ("1.", Some("JSON parse error, stray '1.'")),
        ("{'a': 1", Some("JSON parse error, premature EOI")),
        ("{} ", None),
        ("", None),
    ] {
        let mut reader = Reader::new();
        reader.feed(text.as_bytes()).for_each(drop);
        let end = descriptions(reader.finish().into_iter());
        assert_eq!(end.first().map(String::as_str), expected, "{text}");
        assert_eq!(descriptions(reader.feed(b"[]")), ["[]"], "after {text}");
    }
}

#[test]
fn a_search_for_a_beginning_ends_with_the_text() {
    let mut reader = Reader::new();
    assert_eq!(reader.feed(b"@ abc").count(), 1);
    assert_eq!(reader.finish(), None);
    assert_eq!(descriptions(reader.feed(b"7 ")), ["7"]);
}

#[test]
fn nesting_is_limited_without_recursion() {
    let deep = [vec![b'['; 1024], vec![b']'; 1024]].concat();
    assert_eq!(read_all(&deep).unwrap().len(), 1);
    let mut reader = Reader::new();
    let limit = "JSON nesting depth limit exceeded";
    let errors = descriptions(reader.feed(&[b'['; 100_000]));
    assert_eq!(errors, vec![limit; 100_000 / 1025]);
    let errors = descriptions(Reader::new().feed("{'a':".repeat(100_000).as_bytes()));
    assert_eq!(errors.iter().filter(|error| *error == limit).count(), 100_000 / 1025);
}

#[test]
fn tokens_are_limited() {
    let list =
        |tokens: usize| [b"[".to_vec(), b"1,".repeat((tokens - 3) / 2), b"1]".to_vec()].concat();
    assert_eq!(read_all(&list(MAX_TOKENS - 1)).unwrap().len(), 1);
    let error = read_all(&list(MAX_TOKENS + 1)).unwrap_err();
    assert_eq!(error.desc, "JSON token count limit exceeded");
}

#[test]
fn bytes_are_limited() {
    let mut text = vec![b'a'; MAX_BYTES - 1];
    (text[0], text[MAX_BYTES - 2]) = (b'"', b'"');
    assert_eq!(read_all(&text).unwrap().len(), 1);
    text.insert(1, b'a');
    assert_eq!(read_all(&text).unwrap_err().desc, "JSON token size limit exceeded");
}

/// A token of 100 MB in pieces: what is kept never exceeds the limit, and quadratic work would not
/// come to an end.
#[test]
fn a_huge_token_takes_bounded_memory() {
    let mut reader = Reader::new();
    let mut errors = descriptions(reader.feed(b"\""));
    let piece = vec![b'z'; 1 << 20];
    for _ in 0..100 {
        errors.extend(descriptions(reader.feed(&piece)));
        assert!(reader.lexer.buffered() <= MAX_BYTES + 1);
    }
    assert_eq!(errors, ["JSON token size limit exceeded"]);
    assert_eq!(reader.lexer.position().offset, 1 + (100 << 20));
}

/// A value that JSON can express and QEMU reads.
#[derive(Clone, Debug)]
struct Json(Value);

impl Json {
    fn text(g: &mut Gen) -> String {
        let noncharacter =
            |c: char| (0xFDD0..0xFDF0).contains(&u32::from(c)) || u32::from(c) & 0xFFFE == 0xFFFE;
        String::arbitrary(g).chars().filter(|&c| !noncharacter(c)).collect()
    }

    fn at_depth(g: &mut Gen, depth: usize) -> Value {
        let kinds: &[usize] =
            if depth == 0 { &[0, 1, 2, 3, 4, 5] } else { &[0, 1, 2, 3, 4, 5, 6, 7] };
        let length = usize::arbitrary(g) % 4;
        match g.choose(kinds).unwrap() {
            0 => Value::Null,
            1 => bool::arbitrary(g).into(),
            2 => i64::arbitrary(g).into(),
            3 => u64::arbitrary(g).into(),
            4 => Number::from_f64(f64::arbitrary(g)).map_or(Value::Null, Value::Number),
            5 => Self::text(g).into(),
            6 => (0..length).map(|_| Self::at_depth(g, depth - 1)).collect(),
            _ => Value::Object(
                (0..length)
                    .map(|_| (Self::text(g), Self::at_depth(g, depth - 1)))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Arbitrary for Json {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(Self::at_depth(g, 5))
    }
}

/// Bytes that look like JSON often enough to get somewhere.
#[derive(Clone, Debug)]
struct Soup(Vec<u8>);

impl Arbitrary for Soup {
    fn arbitrary(g: &mut Gen) -> Self {
        let pieces: Vec<u8> = Vec::arbitrary(g);
        let soup: &[u8] =
            b"{}[]:,\"'\\u0d8C1-.eE +tnrfalsue\n\t\x00\x7f\xc0\x80\xed\xa0\xe2\x82\xac\xf4\xfe\xff";
        Self(
            pieces
                .into_iter()
                .map(|piece| *soup.get(usize::from(piece) % 60).unwrap_or(&piece))
                .collect(),
        )
    }
}

quickcheck! {
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) -> bool {
        let mut reader = Reader::new();
        let items = reader.feed(&bytes).count();
        items + usize::from(reader.finish().is_some()) <= bytes.len()
    }

    fn pieces_make_no_difference(soup: Soup, at: usize) -> bool {
        let Soup(bytes) = soup;
        let (mut whole, mut split) = (Reader::new(), Reader::new());
        let mut expected: Vec<_> = whole.feed(&bytes).collect();
        expected.extend(whole.finish());
        let (first, second) = bytes.split_at(at % (bytes.len() + 1));
        let mut items: Vec<_> = split.feed(first).collect();
        items.extend(split.feed(second));
        items.extend(split.finish());
        items == expected
    }

    fn after_a_mistake_a_line_begins_anew(soup: Soup, json: Json) -> bool {
        let mut reader = Reader::new();
        reader.feed(&soup.0).for_each(drop);
        reader.feed(b"\n\xff\n").for_each(drop);
        let text = format!("{}\n", json.0);
        let read: Vec<_> = reader.feed(text.as_bytes()).map(|item| item.unwrap().value).collect();
        read == [json.0]
    }

    fn every_value_round_trips(json: Json) -> bool {
        let pretty = serde_json::to_string_pretty(&json.0).unwrap();
        let texts = [json.0.to_string(), pretty];
        texts.iter().all(|text| {
            let read = value(text);
            // Equality of maps does not see the order of their members.
            let written = read.to_string();
            read == json.0 && written == texts[0]
        })
    }
}
