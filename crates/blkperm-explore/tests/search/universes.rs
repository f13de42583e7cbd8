//! What is a universe, and what is not.

use blkperm_explore::{Universe, UniverseError};

const FINE: &str =
    r#""demands": ["take-write"], "kinds": ["mirror"], "manual": false, "pauses": false}"#;

fn with(images: &str, strangers: usize, rest: &str) -> Result<Universe, UniverseError> {
    let head = format!(r#"{{"images": [{images}], "strangers": {strangers}, "#);
    Universe::parse(&format!(r#"{head}"exports": 0, "jobs": 0, {rest}"#))
}

#[test]
fn what_is_no_universe_is_refused() {
    let one = |rest: &str| with(r#"{"name": "a"}"#, 1, rest);
    assert!(one(FINE).is_ok());
    let unknown = one(&FINE.replace("take-write", "take-writ"));
    assert!(
        matches!(&unknown, Err(UniverseError::Syntax(text)) if text.contains("take-writ")),
        "{unknown:?}"
    );
    let member = one(&FINE.replace("manual", "manuel"));
    assert!(matches!(member, Err(UniverseError::Syntax(text)) if text.contains("manuel")));
    assert_eq!(one(&FINE.replace(r#""take-write""#, "")), Err(UniverseError::Empty("demands")));
    assert_eq!(one(&FINE.replace(r#""take-write""#, "[]")), Err(UniverseError::Empty("a demand")));
    assert_eq!(one(&FINE.replace(r#""mirror""#, "")), Err(UniverseError::Empty("kinds")));
    assert_eq!(with("", 1, FINE), Err(UniverseError::Empty("images")));
    let nothing = UniverseError::Empty("strangers, exports and jobs");
    assert_eq!(with(r#"{"name": "a"}"#, 0, FINE), Err(nothing));
    let depth = |depth: u32| one(&FINE.replace('}', &format!(r#", "depth": {depth}}}"#)));
    assert!(depth(1).is_ok());
    assert_eq!(depth(0), Err(UniverseError::Empty("depth")));
    let both = [r#"["take-write", "take-resize"]"#, r#"["take-resize", "take-write"]"#].join(", ");
    let same = one(&FINE.replace(r#""take-write""#, &both));
    assert_eq!(same, Err(UniverseError::Twice("demands")));
    let same = one(&FINE.replace(r#""mirror""#, r#""mirror", "mirror""#));
    assert_eq!(same, Err(UniverseError::Twice("kinds")));
    let too_many = UniverseError::TooMany { what: "strangers", count: 4, limit: 3 };
    assert_eq!(with(r#"{"name": "a"}"#, 4, FINE), Err(too_many));
    let below = with(r#"{"name": "a", "backing": "b"}"#, 1, FINE);
    assert!(matches!(below, Err(UniverseError::UnknownImage { .. })));
    let both = r#"{"name": "a"}, {"name": "b", "backing": "a", "children": ["a"]}"#;
    assert_eq!(with(both, 1, FINE), Err(UniverseError::TwoKinds("b".to_owned())));
    let seven = r#"{"name": "a"}, {"name": "b", "children": ["a", "a", "a", "a", "a", "a", "a"]}"#;
    let edges = UniverseError::TooMany { what: "edges between images", count: 7, limit: 5 };
    assert_eq!(with(seven, 1, FINE), Err(edges));
    for (images, reason) in [
        (r#"{"name": "filter7"}"#, "the search itself gives"),
        (r#"{"name": "a-file"}"#, "the search itself gives"),
        (r#"{"name": "7up"}"#, "a letter, then"),
        (r#"{"name": "abcdefghijklmnopqrstu"}"#, "at most 20"),
        (r#"{"name": "a"}, {"name": "a"}"#, "another image"),
    ] {
        let error = with(images, 1, FINE).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn every_preset_is_a_universe() {
    let parse = |name| Universe::preset(name).and_then(Universe::parse);
    assert!(Universe::presets().all(|name| parse(name).is_ok()));
    assert!(matches!(Universe::preset("chian"), Err(UniverseError::NoPreset(..))));
}
