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
    // The query crashes QEMU while a stream that is over keeps its filter, which has no child.
    let lingers =
        scene.world.jobs.iter().any(|it| it.r#type == "stream" && it.status == "concluded");
    let query = scene.dice.pick(QUERIES)?;
    let crashes = lingers && query == "query-named-block-nodes";
    (!crashes).then(|| json!({"execute": query}))
}
