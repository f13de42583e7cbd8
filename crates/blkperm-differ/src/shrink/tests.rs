//! A monitor with a planted bug must be caught, and its script shrunk to the bug alone.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use blkperm_baseline::Baseline;
use blkperm_jobs::Completion;
use blkperm_qmp::MonitorEndpoint;
use blkperm_qmp::play::{Endpoint, EndpointError, Stop};
use blkperm_qmp::scenario::Image;
use blkperm_qmp::transcript::{Event, Reply};
use serde_json::{Value, json};

use crate::{Contest, Found, Hunt, Plan, Scope, Verdict, generate, hunt};

fn baseline() -> Result<Box<dyn Endpoint>, EndpointError> {
    Ok(Box::new(MonitorEndpoint::new(Baseline, Completion::Stepwise)))
}

/// Forgets a `take-child-perms` that is `["write"]`.
struct Forgetful(Box<dyn Endpoint>);

impl Endpoint for Forgetful {
    fn create_image(&mut self, image: &Image) -> Result<(), EndpointError> {
        self.0.create_image(image)
    }

    fn execute(&mut self, command: &Value) -> Result<Reply, Stop> {
        let mut command = command.clone();
        let arguments = command.get_mut("arguments").and_then(Value::as_object_mut);
        if let Some(arguments) = arguments
            && arguments.get("take-child-perms") == Some(&json!(["write"]))
        {
            arguments.shift_remove("take-child-perms");
        }
        self.0.execute(&command)
    }

    fn settle(&mut self) -> Result<(), Stop> {
        self.0.settle()
    }

    fn take_events(&mut self) -> Vec<Event> {
        self.0.take_events()
    }
}

fn forgetful() -> Result<Box<dyn Endpoint>, EndpointError> {
    Ok(Box::new(Forgetful(baseline()?)))
}

#[test]
fn a_planted_bug_is_found_and_shrunk_to_a_minimum() {
    let contest = Contest { left: &forgetful, right: &baseline, scope: Scope::Everything };
    let threads = NonZero::new(2).expect("two is not zero");
    let plan = Hunt { seed: 1, scripts: 0..30, length: 25, deadline: None, threads };
    let mut found = Vec::new();
    hunt(&plan, &contest, &baseline, &mut |progress| match progress.verdict {
        Verdict::Differed(Some(difference)) => found.push(*difference),
        Verdict::Agreed | Verdict::Differed(None) => {}
        Verdict::Flaky(what) => panic!("it is forgotten each time: {what}"),
        Verdict::Unplayed { error, .. } => panic!("{error}"),
    });
    assert!(!found.is_empty(), "the bug is found");
    for Found { script, finding, .. } in found {
        let text = script.to_string();
        assert!(text.contains(r#""take-child-perms":["write"]"#), "{text}");
        assert!(text.contains(r#""node-name":"n0""#), "{text}");
        for line in 0..script.actions.len() {
            let mut shorter = script.clone();
            shorter.actions.remove(line);
            // Without an image that another one names, it cannot even be played.
            let other = contest.play(&shorter).ok().and_then(|outcome| outcome.finding);
            let is_like = other.is_some_and(|other| other.is_like(&finding));
            assert!(!is_like, "line {line} is not needed in:\n{text}");
        }
    }
}

#[test]
fn the_same_rule_never_differs_from_itself() {
    let contest = Contest { left: &baseline, right: &baseline, scope: Scope::Everything };
    let threads = NonZero::new(2).expect("two is not zero");
    let plan = Hunt { seed: 2, scripts: 0..60, length: 25, deadline: None, threads };
    hunt(&plan, &contest, &baseline, &mut |progress| {
        assert!(matches!(progress.verdict, Verdict::Agreed), "{progress:?}");
    });
}

/// What is seen once, and then no more, is no difference; but it is told.
#[test]
fn what_does_not_repeat_is_flaky() {
    let made = AtomicUsize::new(0);
    let seldom = || match made.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => forgetful(),
        _ => baseline(),
    };
    let contest = Contest { left: &seldom, right: &baseline, scope: Scope::Everything };
    let threads = NonZero::new(1).expect("one is not zero");
    let plan = Hunt { seed: 1, scripts: 0..60, length: 25, deadline: None, threads };
    let mut flaky = 0;
    hunt(&plan, &contest, &baseline, &mut |progress| match progress.verdict {
        Verdict::Agreed => {}
        Verdict::Flaky(what) => {
            assert!(what.starts_with("line "), "{what}");
            flaky += 1;
        }
        verdict => panic!("{verdict:?}"),
    });
    assert!(flaky > 0, "it is forgotten at times");
}

#[test]
fn a_seed_and_a_number_mean_one_script() {
    let script = |index| {
        let plan = Plan { seed: 3, index, length: 25 };
        generate(plan, &mut *baseline().expect("a monitor")).expect("it can be played")
    };
    for index in 0..20 {
        assert_eq!(script(index), script(index));
    }
    assert_ne!(script(0), script(1));
}
