//! Jobs that have nothing to do with each other may end on one fork.

use blkperm_baseline::Baseline;
use blkperm_explain::{Ending, Fate, endings, foresee};
use blkperm_jobs::Completion;
use blkperm_qmp::image::ImageFormat;
use blkperm_qmp::play::Endpoint;
use blkperm_qmp::scenario::Image;
use blkperm_qmp::transcript::Reply;
use blkperm_qmp::{Monitor, MonitorEndpoint};
use serde_json::{Value, json};

fn call(endpoint: &mut MonitorEndpoint<Baseline>, command: &str, arguments: Value) {
    let reply = endpoint.execute(&json!({"execute": command, "arguments": arguments}));
    assert!(matches!(reply, Ok(Reply::Return(_))), "{command}: {reply:?}");
    endpoint.settle().expect("nothing dies");
}

/// Adds a qcow2 node on an image of its own.
fn add_image(endpoint: &mut MonitorEndpoint<Baseline>, name: &str, backing: Value) {
    let image = Image::new(name, ImageFormat::Qcow2, Some(1 << 20));
    endpoint.create_image(&image).expect("the image is new");
    let file = json!({"driver": "file", "filename": name});
    let options = json!({"driver": "qcow2", "node-name": name, "file": file, "backing": backing});
    call(endpoint, "blockdev-add", options);
}

/// Two disks that are committed, under strangers that need them, and two of a pair that are
/// streamed.
fn monitor(completion: Completion) -> Monitor<Baseline> {
    let mut endpoint = MonitorEndpoint::new(Baseline, completion);
    let socket = json!({"type": "unix", "data": {"path": "socket"}});
    call(&mut endpoint, "nbd-server-start", json!({"addr": socket}));
    let stranger = |name: &str, below: &str| {
        json!({"driver": "blkdebug", "node-name": name, "image": below,
            "unshare-child-perms": ["consistent-read"]})
    };
    for number in ["0", "1"] {
        let (base, disk) = (format!("base{number}"), format!("disk{number}"));
        add_image(&mut endpoint, &base, Value::Null);
        add_image(&mut endpoint, &disk, json!(base));
        let export = json!({"type": "nbd", "id": disk, "node-name": disk, "writable": true});
        call(&mut endpoint, "block-export-add", export);
        call(&mut endpoint, "block-commit", json!({"job-id": disk, "device": disk}));
        call(&mut endpoint, "blockdev-add", stranger(&format!("stranger{number}"), &disk));
    }
    for (disk, base) in [("disk2", "base2"), ("disk3", "base3")] {
        add_image(&mut endpoint, base, Value::Null);
        add_image(&mut endpoint, disk, json!(base));
        let job = json!({"job-id": disk, "device": disk, "auto-finalize": false});
        call(&mut endpoint, "block-stream", job);
    }
    let children = json!(["disk2", "disk3"]);
    let pair =
        json!({"driver": "quorum", "node-name": "pair", "children": children, "vote-threshold": 2});
    call(&mut endpoint, "blockdev-add", pair);
    endpoint.monitor().clone()
}

#[test]
fn jobs_are_in_one_part_if_their_nodes_hang_together() {
    let monitor = monitor(Completion::Stepwise);
    let parts = monitor.layer().parts_of_jobs();
    assert_eq!(parts[2], parts[3]);
    assert!(parts[0] != parts[1] && parts[0] != parts[2] && parts[1] != parts[2], "{parts:?}");
}

#[test]
fn jobs_that_share_a_fork_end_as_on_forks_of_their_own() {
    for completion in [Completion::Stepwise, Completion::Atomic] {
        let monitor = monitor(completion);
        let endings: Vec<Ending> = endings(&monitor);
        let alone: Vec<Fate> = endings.iter().map(|end| end.play(&mut monitor.clone())).collect();
        assert!(alone.iter().any(Fate::is_done) && !alone.iter().all(Fate::is_done), "{alone:?}");
        assert_eq!(foresee(&monitor, &endings), alone, "{completion:?}");
    }
}
