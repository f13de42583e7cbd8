//! Witnesses as scenarios, which any QMP endpoint can play.

use serde_json::{Value, json};

use crate::action::{Action, Place, Verb};
use crate::stage::{LENGTH, file_name, job_id, stranger_name};
use crate::universe::{ImageSpec, Universe};

/// The text of a `.qmp` file that makes the universe's images, opens them, and does these commands.
pub fn scenario(universe: &Universe, title: &str, actions: &[Action]) -> String {
    let mut text = format!("# {title}\n\n");
    let mut add = |value: Value| {
        text.push_str(&value.to_string());
        text.push('\n');
    };
    let on_disk = universe.images.iter().filter(|image| image.children.is_empty());
    on_disk.for_each(|image| add(image_line(image)));
    for ImageSpec { name, backing, children } in &universe.images {
        if !children.is_empty() {
            add(command(
                "blockdev-add",
                json!({
                    "driver": "quorum", "node-name": name, "vote-threshold": 1,
                    "children": children,
                }),
            ));
            continue;
        }
        let file = file_name(name);
        let filename = format!("{name}.qcow2");
        add(command(
            "blockdev-add",
            json!({"driver": "file", "node-name": file, "filename": filename}),
        ));
        add(command(
            "blockdev-add",
            json!({"driver": "qcow2", "node-name": name, "file": file, "backing": backing}),
        ));
    }
    if actions.iter().any(|action| matches!(action, Action::AddExport { .. })) {
        let addr = json!({"type": "unix", "data": {"path": "nbd.sock"}});
        add(command("nbd-server-start", json!({"addr": addr})));
    }
    actions.iter().for_each(|&action| add(universe.command(action)));
    text
}

fn image_line(ImageSpec { name, backing, .. }: &ImageSpec) -> Value {
    let mut image = json!({
        "filename": format!("{name}.qcow2"),
        "format": "qcow2",
        "size": format!("{}K", LENGTH / 1024),
    });
    if let Some(backing) = backing {
        image["backing"] = json!({"filename": format!("{backing}.qcow2"), "format": "qcow2"});
    }
    json!({"image": image})
}

fn command(name: &str, arguments: Value) -> Value {
    json!({"execute": name, "arguments": arguments})
}

impl Universe {
    /// A command in QMP.
    pub fn command(&self, action: Action) -> Value {
        let name = |place: Place| self.place_name(place);
        let job = |slot: u8, manual: bool, mut arguments: Value| {
            arguments["job-id"] = json!(job_id(slot));
            arguments["filter-node-name"] = json!(self.place_name(Place::Filter(slot)));
            if manual {
                arguments["auto-finalize"] = json!(false);
                arguments["auto-dismiss"] = json!(false);
            }
            arguments
        };
        match action {
            Action::AddStranger { slot, place, demand } => {
                let demand = self.demands[usize::from(demand)].demand();
                let mut options = json!({
                    "driver": "blkdebug", "node-name": stranger_name(slot), "image": name(place),
                });
                let sides = [
                    ("take-child-perms", demand.take()),
                    ("unshare-child-perms", demand.unshare()),
                ];
                for (side, permissions) in sides.into_iter().filter(|(_, all)| !all.is_empty()) {
                    options[side] = permissions.iter().map(|one| one.qmp_name()).collect();
                }
                command("blockdev-add", options)
            }
            Action::RemoveStranger(slot) => {
                command("blockdev-del", json!({"node-name": stranger_name(slot)}))
            }
            Action::AddExport { slot, place, writable } => {
                let id = format!("e{slot}");
                command(
                    "block-export-add",
                    json!({
                        "type": "nbd", "id": id, "name": id, "node-name": name(place),
                        "writable": writable,
                    }),
                )
            }
            Action::RemoveExport(slot) => {
                command("block-export-del", json!({"id": format!("e{slot}")}))
            }
            Action::Mirror { slot, source, target, manual } => {
                let what = json!({
                    "device": name(source), "target": name(target), "sync": "full",
                });
                command("blockdev-mirror", job(slot, manual, what))
            }
            Action::Commit { slot, device, top, base, manual } => {
                let what = json!({
                    "device": name(device), "top-node": name(top), "base-node": name(base),
                });
                command("block-commit", job(slot, manual, what))
            }
            Action::Stream { slot, device, base, manual } => {
                let mut what = json!({"device": name(device)});
                if let Some(base) = base {
                    what["base-node"] = json!(name(base));
                }
                command("block-stream", job(slot, manual, what))
            }
            Action::Backup { slot, source, target, manual } => {
                let what = json!({
                    "device": name(source), "target": name(target), "sync": "full",
                });
                command("blockdev-backup", job(slot, manual, what))
            }
            Action::Verb(slot, verb) => {
                let id = job_id(slot);
                let id = match verb {
                    Verb::Cancel => json!({"device": id}),
                    _ => json!({"id": id}),
                };
                command(verb.command(), id)
            }
        }
    }
}
