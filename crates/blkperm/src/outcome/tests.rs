use super::sample::{CONFLICT, completed, died, done, failed, refused, stuck};
use super::*;
use serde_json::json;

fn cells(steps: Vec<Step>) -> Vec<String> {
    Outcome::of(&Transcript { steps }).iter().map(ToString::to_string).collect()
}

#[test]
fn each_kind_has_its_cell() {
    let cases = [
        (done(), "done"),
        (refused("Node 'n' is busy: it is in use"), "refused: Node 'n' is busy"),
        (refused(CONFLICT), "refused: a vs. b on n"),
        (completed(json!({"device": "j0", "len": 0})), "done"),
        (failed(), "job failed: Operation not permitted"),
        (stuck(&["j0", "j1"]), "stuck: j0, j1"),
        (died("SIGABRT"), "ABORT"),
        (died("exit status: 1"), "died: exit status: 1"),
    ];
    for (step, cell) in cases {
        assert_eq!(cells(vec![step]), [cell]);
    }
}

#[test]
fn a_job_gets_stuck_once() {
    let steps = vec![stuck(&["j0"]), stuck(&["j0"]), stuck(&["j0", "j1"]), stuck(&["j1"])];
    assert_eq!(cells(steps), ["stuck: j0", "done", "stuck: j1", "done"]);
}

#[test]
fn the_worst_is_the_verdict() {
    let verdict = |steps: &[Step]| {
        let verdict = Verdict::of(&Outcome::of(&Transcript { steps: steps.to_vec() }));
        (verdict.to_string(), verdict.at)
    };
    let is = |text: &str, at| (text.to_owned(), at);
    assert_eq!(verdict(&[]), is("succeeded", 0));
    assert_eq!(verdict(&[done(), done()]), is("succeeded", 0));
    assert_eq!(verdict(&[done(), refused("a"), refused("b")]), is("refused 2", 1));
    assert_eq!(verdict(&[done(), failed()]), is("job failed", 1));
    assert_eq!(verdict(&[refused("a"), failed()]), is("job failed, refused 1", 1));
    assert_eq!(verdict(&[failed(), stuck(&["j0"])]), is("stuck", 1));
    assert_eq!(verdict(&[stuck(&["j0"]), failed(), died("SIGABRT")]), is("ABORT", 2));
}
