use super::*;
use crate::json::Reader;
use std::collections::VecDeque;

/// What one call of a scripted engine comes to: events, and then the call fails or does not.
type Outcome = (Vec<&'static str>, Option<&'static str>);

/// An engine whose jobs do what a script says, and which knows `query-jobs` and `query-block`.
#[derive(Default)]
struct Script {
    commands: VecDeque<Outcome>,
    runs: VecDeque<Outcome>,
    events: Vec<Event>,
}

impl Script {
    fn play(&mut self, outcome: Option<Outcome>) -> Result<(), Abort> {
        let (events, abort) = outcome.unwrap_or_default();
        let event = |name: &str| Event { name: name.to_owned(), data: json!({"of": name}) };
        self.events.extend(events.into_iter().map(event));
        abort.map_or(Ok(()), |node| Err(abort_on(node)))
    }
}

fn abort_on(node: &str) -> Abort {
    let fault = blkperm_graph::Fault::ReadOnly { node: node.to_owned(), was_writable: false };
    Abort::of(blkperm_graph::Refusal::Permissions(vec![fault]))
}

impl Engine for Script {
    fn execute(&mut self, _: &Command) -> Result<Value, Failed> {
        let outcome = self.commands.pop_front();
        self.play(outcome)?;
        Ok(json!({"done": true}))
    }

    fn run_jobs(&mut self) -> Result<(), Abort> {
        let outcome = self.runs.pop_front();
        self.play(outcome)
    }

    fn shut_down(&mut self) -> Result<(), Abort> {
        self.play(Some((vec!["ENDED"], None)))
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

fn server(engine: Script, at_abort: AtAbort) -> Server {
    let mut microseconds = 0;
    Server::new(engine, at_abort, move || {
        microseconds += 1;
        Duration::new(7, microseconds * 1000)
    })
}

fn connected(engine: Script, at_abort: AtAbort) -> (Server, MonitorId) {
    let mut server = server(engine, at_abort);
    let monitor = server.add_monitor(Layout::Plain);
    server.connect(monitor);
    say(&mut server, monitor, "{'execute': 'qmp_capabilities'}").unwrap();
    server.take_output(monitor);
    (server, monitor)
}

fn say(server: &mut Server, monitor: MonitorId, text: &str) -> Result<(), Death> {
    Reader::new().feed(text.as_bytes()).try_for_each(|item| server.receive(monitor, item))
}

/// What was said, in short: `ok`, a class of error, or the name of an event.
fn heard(server: &mut Server, monitor: MonitorId) -> Vec<String> {
    let output = server.take_output(monitor);
    let messages = crate::json::read_all(&output).unwrap();
    let short = |message: Value| {
        if let Some(event) = message["event"].as_str() {
            return event.to_owned();
        }
        message["error"]["class"].as_str().unwrap_or("ok").to_owned()
    };
    messages.into_iter().map(|message| short(message.value)).collect()
}

#[test]
fn negotiation_comes_first_and_anew_for_each_client() {
    let mut server = server(Script::default(), AtAbort::Die);
    let monitor = server.add_monitor(Layout::Plain);
    say(&mut server, monitor, "{'execute': 'query-jobs'}").unwrap();
    assert!(server.take_output(monitor).is_empty(), "nobody is there");
    for _ in 0..2 {
        server.connect(monitor);
        let greeting = server.take_output(monitor);
        assert!(greeting.starts_with(b"{\"QMP\": {\"version\": "), "{greeting:?}");
        let text = "{'execute': 'query-jobs'} {'execute': 'qmp_capabilities'} \
                    {'execute': 'query-jobs'} {'execute': 'qmp_capabilities'}";
        say(&mut server, monitor, text).unwrap();
        let expected = ["CommandNotFound", "ok", "ok", "CommandNotFound"];
        assert_eq!(heard(&mut server, monitor), expected);
        server.disconnect(monitor);
    }
}

#[test]
fn a_reply_stands_between_the_events_of_the_command_and_those_of_jobs() {
    let engine = Script {
        commands: [(vec!["DURING"], None)].into(),
        runs: [(vec![], None), (vec!["AFTER"], None)].into(),
        ..Script::default()
    };
    let (mut server, monitor) = connected(engine, AtAbort::Die);
    say(&mut server, monitor, "{'execute': 'query-jobs', 'id': 'ä'}").unwrap();
    let output = String::from_utf8(server.take_output(monitor)).unwrap();
    let expected = "{\"timestamp\": {\"seconds\": 7, \"microseconds\": 1}, \
                    \"event\": \"DURING\", \"data\": {\"of\": \"DURING\"}}\r\n\
                    {\"return\": {\"done\": true}, \"id\": \"\\u00E4\"}\r\n\
                    {\"timestamp\": {\"seconds\": 7, \"microseconds\": 2}, \
                    \"event\": \"AFTER\", \"data\": {\"of\": \"AFTER\"}}\r\n";
    assert_eq!(output, expected);
}

#[test]
fn events_go_to_all_who_have_negotiated_and_replies_to_one() {
    let engine = Script {
        runs: [(vec![], None), (vec![], None), (vec!["EVENT"], None)].into(),
        ..Script::default()
    };
    let (mut server, monitor) = connected(engine, AtAbort::Die);
    let [other, silent] = [(); 2].map(|()| server.add_monitor(Layout::Pretty));
    for monitor in [other, silent] {
        server.connect(monitor);
    }
    say(&mut server, other, "{'execute': 'qmp_capabilities'}").unwrap();
    for monitor in [other, silent] {
        server.take_output(monitor);
    }

    say(&mut server, monitor, "{'execute': 'query-jobs'}").unwrap();
    assert_eq!(heard(&mut server, monitor), ["ok", "EVENT"]);
    assert_eq!(heard(&mut server, other), ["EVENT"]);
    assert!(heard(&mut server, silent).is_empty());
}

#[test]
fn a_fatal_command_has_no_reply_and_a_fatal_job_has() {
    let fatal_command =
        Script { commands: [(vec!["LAST"], Some("a"))].into(), ..Script::default() };
    let fatal_job =
        Script { runs: [(vec![], None), (vec!["LAST"], Some("a"))].into(), ..Script::default() };
    for (engine, expected) in [(fatal_command, vec!["LAST"]), (fatal_job, vec!["ok", "LAST"])] {
        let (mut server, monitor) = connected(engine, AtAbort::Die);
        let death = say(&mut server, monitor, "{'execute': 'query-jobs'}").unwrap_err();
        assert_eq!(
            (death.signal.as_str(), death.message.as_str()),
            ("SIGABRT", "Block node is read-only")
        );
        assert_eq!(heard(&mut server, monitor), expected);
    }
}

#[test]
fn who_goes_on_answers_with_an_error_and_lets_the_other_jobs_run() {
    let engine = Script {
        commands: [(vec![], Some("a"))].into(),
        runs: [(vec![], None), (vec!["STUCK"], Some("a")), (vec!["OTHER"], None)].into(),
        ..Script::default()
    };
    let (mut server, monitor) = connected(engine, AtAbort::GoOn);
    say(&mut server, monitor, "{'execute': 'query-jobs'}{'execute': 'query-jobs'}").unwrap();
    assert_eq!(heard(&mut server, monitor), ["GenericError", "STUCK", "OTHER", "ok"]);
}

#[test]
fn quit_is_answered_last_of_all() {
    let (mut server, monitor) = connected(Script::default(), AtAbort::Die);
    say(&mut server, monitor, "{'execute': 'quit'} {'execute': 'query-jobs'}").unwrap();
    assert_eq!(heard(&mut server, monitor), ["ENDED", "ok"]);
    assert!(server.is_over());
}

#[test]
fn mistakes_in_the_text_are_answered_in_their_turn() {
    let (mut server, monitor) = connected(Script::default(), AtAbort::Die);
    say(&mut server, monitor, "{'execute': 'query-jobs'} ] 'x' {'execute': 'query-jobs'}").unwrap();
    assert_eq!(heard(&mut server, monitor), ["ok", "GenericError", "GenericError", "ok"]);
}
