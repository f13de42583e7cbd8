use super::*;
use std::path::Path;

/// Knows `add`, which makes a job that is done after settling, `die` and `fail`.
#[derive(Default)]
struct Script {
    images: Vec<String>,
    events: Vec<Event>,
    settled: usize,
    dying: bool,
}

impl Script {
    fn event(&mut self, name: &str) {
        self.events.push(Event { name: name.to_owned(), data: Value::Null });
    }
}

fn death() -> Death {
    Death { signal: "SIGABRT".to_owned(), message: "No".to_owned(), origin: None }
}

impl Endpoint for Script {
    fn create_image(&mut self, image: &Image) -> Result<(), EndpointError> {
        if image.filename == "bad" {
            return Err("no such image".into());
        }
        self.images.push(image.filename.clone());
        Ok(())
    }

    fn execute(&mut self, command: &Value) -> Result<Reply, Stop> {
        match command["execute"].as_str() {
            Some("query-jobs") => Ok(Reply::Return(json!([]))),
            Some("x-debug-query-block-graph") => {
                Ok(Reply::Return(json!({"nodes": [], "edges": []})))
            }
            Some("add") => {
                self.event("ADDED");
                Ok(Reply::Return(json!({})))
            }
            Some("die-later") => {
                self.dying = true;
                Ok(Reply::Return(json!({})))
            }
            Some("die") => {
                self.event("LAST");
                Err(Stop::Died(death()))
            }
            _ => Err(Stop::Failed("unknown".into())),
        }
    }

    fn settle(&mut self) -> Result<(), Stop> {
        self.settled += 1;
        self.event("SETTLED");
        if self.dying { Err(Stop::Died(death())) } else { Ok(()) }
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn stuck(&mut self) -> Vec<String> {
        vec!["j0".to_owned()]
    }
}

fn scenario(commands: &[&str]) -> Scenario {
    let image = |name: &str| json!({"image": {"filename": name, "format": "raw", "size": 1}});
    let lines = commands.iter().map(|name| match name.strip_prefix("image:") {
        Some(name) => image(name).to_string(),
        None => json!({"execute": name}).to_string(),
    });
    let text: Vec<String> = lines.collect();
    Scenario::parse(Path::new("x.qmp"), &text.join("\n")).unwrap()
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[test]
fn each_command_settles_before_it_is_observed() {
    let mut script = Script::default();
    let transcript = play(&mut script, &scenario(&["image:a", "add", "add"])).unwrap();
    assert_eq!(script.images, ["a"]);
    assert_eq!(transcript.steps.len(), 2);
    for (step, line) in transcript.steps.iter().zip([2, 3]) {
        assert_eq!((step.line, step.command_name()), (line, "add"));
        assert_eq!(names(&step.events), ["ADDED", "SETTLED"]);
        assert_eq!((step.graph.is_some(), step.stuck.len()), (true, 1));
    }
    assert_eq!(transcript.death(), None);
}

#[test]
fn a_death_ends_the_play_with_the_events_before_it() {
    let transcript = play(&mut Script::default(), &scenario(&["add", "die", "add"])).unwrap();
    assert_eq!(transcript.steps.len(), 2);
    let last = &transcript.steps[1];
    assert_eq!((last.reply.as_ref(), last.graph.as_ref()), (None, None));
    assert_eq!(names(&last.events), ["LAST"]);
    assert_eq!(transcript.death(), Some(&death()));
}

#[test]
fn a_death_after_the_reply_keeps_the_reply() {
    let transcript = play(&mut Script::default(), &scenario(&["die-later", "add"])).unwrap();
    assert_eq!(transcript.steps.len(), 1);
    assert!(transcript.steps[0].reply.as_ref().is_some_and(Reply::is_return));
    assert_eq!(transcript.death(), Some(&death()));
}

#[test]
fn an_error_tells_the_line_and_ends_the_play() {
    for (bad, line) in [(["add", "image:bad", "add"], 2), (["add", "add", "unknown"], 3)] {
        let error = play(&mut Script::default(), &scenario(&bad)).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to play line {line} of 'x'"));
        assert!(std::error::Error::source(&error).is_some());
    }
    let (mut script, scenario) = (Script::default(), scenario(&["image:bad", "add"]));
    assert_eq!(Play::new(&mut script, &scenario).count(), 1);
}

#[test]
fn an_endpoint_may_be_chosen_at_run_time() {
    let mut script = Script::default();
    let endpoint: &mut dyn Endpoint = &mut script;
    assert_eq!(play(endpoint, &scenario(&["add"])).unwrap().steps.len(), 1);
}
