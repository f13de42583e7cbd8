use super::*;

const GRAPH: &str = r#"{"nodes": [{"id": 1, "type": "block-driver", "name": "a"}], "edges": []}"#;

fn read(text: &str) -> Result<Replies, ReplyError> {
    let mut replies = Replies::default();
    replies.read(text.as_bytes()).map(|()| replies)
}

#[test]
fn a_graph_is_found_bare_in_a_reply_and_in_a_session() {
    let session = format!(
        "{{\"QMP\": {{}}}}\n{{\"execute\": \"x-debug-query-block-graph\"}}\n{{\"return\": {{}}}}\n\
         {{\"event\": \"X\", \"data\": {{\"error\": \"no\"}}}}\n{{\"return\": {GRAPH}, \"id\": 1}}"
    );
    for text in [GRAPH, &format!("{{\"return\": {GRAPH}}}"), &session] {
        assert!(read(text).unwrap().has_graph(), "{text}");
    }
}

#[test]
fn lists_are_told_apart_by_their_items() {
    let text = r#"{"return": [{"id": "j0", "type": "mirror", "status": "ready", "current-progress": 0, "total-progress": 0}]}
        [{"node-name": "a", "id": "e0", "type": "nbd", "shutting-down": false}]
        [] [{"name": "quit"}]"#;
    let replies = read(text).unwrap();
    let missing = ["query-named-block-nodes", "query-block-jobs", "query-block"];
    assert_eq!(replies.missing(), missing);
    let rest = read(&format!("{text} [] []")).unwrap();
    assert!(rest.missing().is_empty(), "three empty lists answer three queries");
    assert_eq!(replies.exports.unwrap()[0].id, "e0");
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = [
        (r#"{"nodes": [], "edges": ["#, "JSON parse error"),
        (r#"{"nodes": [], "edges": 1}"#, "x-debug-query-block-graph"),
        (r#"[{"node-name": "a", "drv": 1}]"#, "query-named-block-nodes"),
        (r#"{"error": {"class": "CommandNotFound", "desc": "no such"}}"#, "no such"),
    ];
    for (text, expected) in wrong {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
