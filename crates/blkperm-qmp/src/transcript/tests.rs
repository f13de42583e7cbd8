use super::*;
use blkperm_graph::Demand;
use serde_json::json;

/// A transcript of one command, with something in every respect.
fn transcript() -> Transcript {
    let reply = json!({
        "nodes": [
            {"id": 1, "type": "block-driver", "name": "top"},
            {"id": 2, "type": "block-driver", "name": "#block012"},
            {"id": 3, "type": "block-job", "name": "j0"},
            {"id": 4, "type": "block-backend", "name": ""},
        ],
        "edges": [
            {"parent": 1, "child": 2, "name": "file", "perm": ["resize", "consistent-read"], "shared-perm": []},
            {"parent": 3, "child": 1, "name": "main node", "perm": [], "shared-perm": ["write"]},
            {"parent": 4, "child": 1, "name": "root", "perm": [], "shared-perm": []},
        ],
    });
    let event = |name: &str, data: Value| Event { name: name.to_owned(), data };
    let status =
        |id: &str, status: &str| event("JOB_STATUS_CHANGE", json!({"id": id, "status": status}));
    let mut step = Step::new(3, json!({"execute": "job-complete"}));
    step.reply = Some(Reply::Error {
        class: "GenericError".to_owned(),
        desc: "Node '#block012' is busy".to_owned(),
    });
    step.events = vec![
        status("j0", "waiting"),
        status("j0", "pending"),
        status("j1", "created"),
        event("BLOCK_EXPORT_DELETED", json!({"id": "e0"})),
    ];
    step.jobs = vec![Job {
        id: "j0".to_owned(),
        r#type: "mirror".to_owned(),
        status: "pending".to_owned(),
        current_progress: 1,
        total_progress: 2,
        error: None,
    }];
    step.graph = Some(GraphDump::from_return(&reply).unwrap());
    let mut last = Step::new(4, json!({"execute": "job-finalize"}));
    last.death = Some(Death {
        signal: "SIGABRT".to_owned(),
        message: "Permission conflict on node '#block012'".to_owned(),
        origin: None,
    });
    Transcript { steps: vec![step, last] }
}

/// In which respects a transcript differs once it is changed; both ways round.
#[track_caller]
fn check(change: impl FnOnce(&mut Transcript), respects: &[Respect]) {
    let (left, mut right) = (transcript(), transcript());
    change(&mut right);
    for differences in [left.differences(&right), right.differences(&left)] {
        let found: Vec<&Respect> = differences.iter().map(|found| &found.respect).collect();
        assert_eq!(found, respects.iter().collect::<Vec<_>>(), "{differences:?}");
    }
}

fn graph(transcript: &mut Transcript) -> &mut GraphDump {
    transcript.steps[0].graph.as_mut().unwrap()
}

/// Replaces a text everywhere, as another run would have it.
fn renamed(transcript: &Transcript, from: &str, to: &str) -> Transcript {
    let text = serde_json::to_string(transcript).unwrap();
    serde_json::from_str(&text.replace(from, to)).unwrap()
}

#[test]
fn equal_transcripts_have_no_difference() {
    check(|_| {}, &[]);
}

#[test]
fn what_is_written_can_be_read() {
    let text = serde_json::to_string(&transcript()).unwrap();
    assert!(text.contains(r##"["#block012","top","file","c--r / ----"]"##), "{text}");
    assert!(text.contains(r#"["top","job j0","main node","---- / -w--"]"#), "{text}");
    assert_eq!(serde_json::from_str::<Transcript>(&text).unwrap(), transcript());
    let named = GraphNode { r#type: NodeType::BlockBackend, name: "drive0".to_owned() };
    assert_eq!(named.to_string().parse(), Ok(named));
}

#[test]
fn each_respect_of_a_reply_is_told() {
    let reply = |reply| move |it: &mut Transcript| it.steps[0].reply = reply;
    let error = |class: &str, desc: &str| {
        Some(Reply::Error { class: class.to_owned(), desc: desc.to_owned() })
    };
    check(reply(None), &[Respect::Verdict]);
    check(reply(Some(Reply::Return(json!({})))), &[Respect::Verdict]);
    check(reply(error("DeviceNotFound", "Node '#block012' is busy")), &[Respect::Class]);
    check(reply(error("GenericError", "Node '#block012' is in use")), &[Respect::Text]);
}

#[test]
fn return_values_are_compared_as_values() {
    let returning = |value: Value| {
        let mut transcript = transcript();
        transcript.steps[0].reply = Some(Reply::Return(value));
        transcript
    };
    let (one, two) = (json!({"a": 1, "b": [2, 3]}), json!({"b": [2, 3], "a": 1}));
    assert_eq!(returning(one.clone()).differences(&returning(two)), []);
    let other = returning(one).differences(&returning(json!({"a": 1, "b": [3, 2]})));
    assert_eq!(other[0].respect, Respect::Value);
    assert_eq!(
        other[0].to_string(),
        r#"line 3 (job-complete), return value: {"a":1,"b":[2,3]} / {"a":1,"b":[3,2]}"#
    );
}

#[test]
fn events_are_ordered_within_a_job_only() {
    let of = |job: &str| Respect::Events(Some(job.to_owned()));
    check(|it| it.steps[0].events.swap(1, 2), &[]);
    check(|it| it.steps[0].events.swap(2, 3), &[]);
    check(|it| it.steps[0].events.swap(0, 1), &[of("j0")]);
    check(|it| drop(it.steps[0].events.remove(2)), &[of("j1")]);
    check(|it| drop(it.steps[0].events.remove(3)), &[Respect::Events(None)]);
    check(|it| it.steps[0].events[3].data = json!({"id": "e1"}), &[Respect::Events(None)]);
    check(
        |it| it.steps[0].events[3].name = "QUORUM_REPORT_BAD".to_owned(),
        &[Respect::Events(None)],
    );
    let data = |name: &str| Event { name: name.to_owned(), data: json!({"type": "read"}) };
    check(|it| it.steps[0].events.push(data("QUORUM_REPORT_BAD")), &[]);
    check(|it| it.steps[0].events.push(data("QUORUM_FAILURE")), &[Respect::Events(None)]);
    let both = [of("j0"), of("j2")];
    check(|it| it.steps[0].events[1].data["id"] = json!("j2"), &both);
}

#[test]
fn each_respect_of_a_job_is_told() {
    check(|it| it.steps[0].jobs.clear(), &[Respect::Jobs]);
    check(|it| it.steps[0].jobs[0].status = "ready".to_owned(), &[Respect::Jobs]);
    check(|it| it.steps[0].jobs[0].error = Some("No".to_owned()), &[Respect::Jobs]);
    check(|it| it.steps[0].jobs[0].current_progress = 2, &[Respect::Progress]);
    check(|it| it.steps[0].stuck.push("j0".to_owned()), &[Respect::Stuck]);
}

#[test]
fn each_respect_of_a_graph_is_told() {
    check(|it| graph(it).edges.swap(0, 2), &[Respect::EdgeOrder]);
    check(|it| graph(it).nodes.swap(0, 2), &[Respect::NodeOrder]);
    check(|it| drop(graph(it).edges.pop()), &[Respect::Edges]);
    check(|it| drop(graph(it).nodes.pop()), &[Respect::Nodes]);
    check(|it| graph(it).edges[0].name = "backing".to_owned(), &[Respect::Edges, Respect::Edges]);
    let (take, unshare) = (Demand::EVERYTHING.take(), Demand::EVERYTHING.unshare());
    check(|it| graph(it).edges[1].demand = Demand::unsharing(unshare), &[Respect::Permissions]);
    check(|it| graph(it).edges[2].demand = Demand::taking(take), &[Respect::Permissions]);
    let twice = |it: &mut Transcript| {
        let edge = graph(it).edges[2].clone();
        graph(it).edges.push(edge);
    };
    check(twice, &[Respect::Edges]);
}

#[test]
fn a_death_and_its_text_are_told() {
    check(|it| it.steps[1].death = None, &[Respect::Death]);
    let death = |it: &mut Transcript| it.steps[1].death.clone().unwrap();
    let segv = |it: &mut Transcript| {
        it.steps[1].death = Some(Death { signal: "SIGSEGV".to_owned(), ..death(it) });
    };
    check(segv, &[Respect::Death]);
    let silent = |it: &mut Transcript| {
        it.steps[1].death = Some(Death { message: String::new(), ..death(it) });
    };
    check(silent, &[Respect::DeathText]);
    let elsewhere = |it: &mut Transcript| {
        it.steps[1].death = Some(Death { origin: Some("f() at x.c:1".to_owned()), ..death(it) });
    };
    check(elsewhere, &[]);
}

#[test]
fn other_commands_are_told() {
    check(|it| it.steps[0].command = json!({"execute": "quit"}), &[Respect::Commands]);
    let mut longer = transcript();
    longer.steps[1].death = None;
    let mut shorter = longer.clone();
    shorter.steps.pop();
    let differences = longer.differences(&shorter);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(
        differences[0].to_string(),
        "line 4 (job-finalize), commands: job-finalize / ends here"
    );
}

#[test]
fn a_death_tells_more_than_the_missing_rest() {
    let mut survivor = transcript();
    survivor.steps[1].death = None;
    survivor.steps.push(Step::new(5, json!({"execute": "quit"})));
    let differences = transcript().differences(&survivor);
    let respects: Vec<&Respect> = differences.iter().map(|found| &found.respect).collect();
    assert_eq!(respects, [&Respect::Death]);
}

#[test]
fn generated_names_are_compared_by_place() {
    let other = renamed(&transcript(), "#block012", "#block087");
    assert_eq!(transcript().differences(&other), []);
    assert_eq!(other.differences(&transcript()), []);
}

#[test]
fn a_generated_name_in_the_place_of_another_is_told() {
    let mut left = transcript();
    left.steps[1].death = None;
    let mut right = renamed(&left, "#block012", "#block087");
    let reply = |name: &str| Some(Reply::Return(json!([name, "#block199"])));
    left.steps[1].reply = reply("#block012");
    right.steps[1].reply = reply("#block087");
    assert_eq!(left.differences(&right), [], "a second name has a counterpart of its own");
    right.steps[1].reply = reply("#block012");
    assert_eq!(left.differences(&right)[0].respect, Respect::Value, "it was another node's name");
    left.steps[1].reply = reply("#block199");
    right.steps[1].reply = reply("#block087");
    assert_eq!(left.differences(&right)[0].respect, Respect::Value, "two nodes have one name");
}

#[test]
fn a_generated_name_is_never_like_a_given_one() {
    let given = renamed(&transcript(), "#block012", "node0");
    assert_eq!(transcript().differences(&given)[0].respect, Respect::Text);
}

#[test]
fn a_graph_with_an_unknown_id_or_permission_is_refused() {
    let node = json!({"id": 1, "type": "block-driver", "name": "a"});
    let graph = |child: u64, perm: &str| {
        let edge =
            json!({"parent": 1, "child": child, "name": "file", "perm": [perm], "shared-perm": []});
        GraphDump::from_return(&json!({"nodes": [node], "edges": [edge]}))
    };
    assert!(graph(1, "write").is_ok());
    assert_eq!(graph(2, "write").unwrap_err().to_string(), "no node has the id 2");
    assert_eq!(graph(1, "bogus").unwrap_err().to_string(), "no permission is called 'bogus'");
}

#[test]
fn messages_are_told_apart() {
    let event =
        json!({"timestamp": {"seconds": 1}, "event": "BLOCK_JOB_READY", "data": {"device": "j0"}});
    let read = Event::from_message(&event).unwrap();
    assert_eq!((read.name.as_str(), read.job()), ("BLOCK_JOB_READY", Some("j0")));
    assert_eq!(Reply::from_message(&event), None);
    let reply = json!({"return": []});
    assert_eq!(Reply::from_message(&reply), Some(Reply::Return(json!([]))));
    assert_eq!(Event::from_message(&reply), None);
}

#[test]
fn of_a_description_of_nodes_only_what_both_say_is_compared() {
    let described = |nodes: Value| {
        let mut step = Step::new(1, json!({"execute": "query-named-block-nodes"}));
        step.reply = Some(Reply::Return(nodes));
        Transcript { steps: vec![step] }
    };
    let ours = described(json!([{"node-name": "top", "ro": false}]));
    let more = described(json!([{"node-name": "top", "ro": false, "image": {"actual-size": 7}}]));
    assert!(ours.differences(&more).is_empty());
    let other = described(json!([{"node-name": "top", "ro": true, "image": {}}]));
    assert_eq!(ours.differences(&other).len(), 1);
}
