//! Queries whose answers are compared.

use serde_json::{Value, json};

use crate::scene::Scene;

pub(super) fn any(scene: &mut Scene) -> Option<Value> {
    const QUERIES: &[&str] = &[
        "query-block",
        "query-block-exports",
        "query-block-jobs",
        "query-jobs",
        "query-named-block-nodes",
    ];
    scene.dice.pick(QUERIES).map(|query| json!({"execute": query}))
}
