//! Whether texts can be read: the contrasts of the colours in the style sheets, light and dark.

use std::collections::HashMap;

use super::PAGE_STYLE;
use crate::svg::STYLE;

/// What WCAG 2.2 asks of text, at level AA.
const LEAST: f64 = 4.5;

/// Colours by the names of their variables.
type Palette<'a> = HashMap<&'a str, &'a str>;

/// The colours in a style sheet, those for dark screens behind those for light ones.
fn palettes(style: &str) -> [Palette<'_>; 2] {
    const DARK: &str = "@media (prefers-color-scheme: dark)";
    let (light, dark) = style.split_once(DARK).expect("there are dark colours");
    let dark = dark.split("\n}").next().expect("they end");
    let light_colors = colors(light);
    let mut dark_colors = light_colors.clone();
    dark_colors.extend(colors(dark));
    assert_eq!(dark_colors.len(), colors(dark).len(), "every colour has a dark one");
    [light_colors, dark_colors]
}

fn colors(style: &str) -> Palette<'_> {
    let members = style.split([';', '{', '}']);
    let pairs = members.filter_map(|member| member.trim().strip_prefix("--")?.split_once(": "));
    pairs.filter(|(_, value)| value.starts_with('#')).collect()
}

/// How bright a colour `#rrggbb` is, from 0 to 1.
fn luminance(color: &str) -> f64 {
    let channel = |place: usize| {
        let value = u8::from_str_radix(&color[place..place + 2], 16).expect("it is hexadecimal");
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Checks each text on each ground.
fn check(style: &str, cases: &[(&[&str], &[&str])]) {
    for (palette, scheme) in palettes(style).into_iter().zip(["light", "dark"]) {
        for (texts, grounds) in cases {
            for (text, ground) in
                texts.iter().flat_map(|text| grounds.iter().map(move |ground| (text, ground)))
            {
                let found = contrast(palette[text], palette[ground]);
                assert!(found >= LEAST, "{scheme}: {text} on {ground}: {found:.2}");
            }
        }
    }
}

#[test]
fn black_on_white_is_as_far_apart_as_can_be() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.001);
    assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01);
}

#[test]
fn every_text_of_a_picture_can_be_read() {
    let boxes = ["paper", "box", "tint0", "tint1", "tint2", "tint3", "fault-box"];
    let marks = ["new", "goes", "changed", "fault"];
    let mut cases: Vec<(&[&str], &[&str])> = vec![(&["ink", "soft"], &boxes), (&marks, &boxes)];
    const OWNED: [([&str; 1], [&str; 2]); 4] = [
        (["owner0"], ["paper", "tint0"]),
        (["owner1"], ["paper", "tint1"]),
        (["owner2"], ["paper", "tint2"]),
        (["owner3"], ["paper", "tint3"]),
    ];
    cases.extend(OWNED.iter().map(|(text, grounds)| (&text[..], &grounds[..])));
    check(STYLE, &cases);
}

#[test]
fn every_text_of_a_page_can_be_read() {
    let grounds = ["page", "card", "code"];
    let texts = ["text", "faint", "link", "refused", "job-failed", "stuck", "abort", "done"];
    check(PAGE_STYLE, &[(&texts, &grounds)]);
}
