//! The frame around a command: `execute`, `arguments` and `id`.

use serde_json::{Map, Value};

use super::{Command, Phase, UNMODELLED};
use crate::qapi::qdict_order;
use crate::{CommandError, ErrorClass, QmpError};

/// A request, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the answer has to repeat, be it an error.
    pub id: Option<Value>,
    /// The command, or why it is not carried out.
    pub command: Result<Command, CommandError>,
}

impl Request {
    /// Takes a request apart, as a client in the given phase may make it.
    ///
    /// A second `qmp_capabilities` is refused here too.
    pub fn parse(request: &Value, phase: Phase) -> Self {
        let id = request.get("id").cloned();
        Self { id, command: parse_command(request, phase) }
    }
}

/// The members of a request.
struct Frame<'r> {
    key: &'r str,
    command: &'r str,
    arguments: Option<&'r Map<String, Value>>,
}

impl<'r> Frame<'r> {
    fn parse(request: &'r Value, phase: Phase) -> Result<Self, QmpError> {
        let request = request
            .as_object()
            .ok_or_else(|| QmpError::generic("QMP input must be a JSON object"))?;
        let oob = phase == Phase::Commands { oob: true };
        let mut command = None;
        let mut arguments = None;
        for (key, value) in qdict_order(request) {
            match key {
                "execute" => set_command(&mut command, key, value)?,
                "exec-oob" if oob => set_command(&mut command, key, value)?,
                "arguments" => {
                    arguments =
                        Some(value.as_object().ok_or_else(|| member(key, "must be an object"))?)
                }
                "id" => {}
                _ => return Err(member(key, "is unexpected")),
            }
        }
        let (key, command) =
            command.ok_or_else(|| QmpError::generic("QMP input lacks member 'execute'"))?;
        Ok(Self { key, command, arguments })
    }
}

fn set_command<'r>(
    command: &mut Option<(&'r str, &'r str)>,
    key: &'r str,
    value: &'r Value,
) -> Result<(), QmpError> {
    let name = value.as_str().ok_or_else(|| member(key, "must be a string"))?;
    if let Some((other, _)) = command.replace((key, name)) {
        return Err(member(key, &format!("clashes with '{other}'")));
    }
    Ok(())
}

fn member(key: &str, what: &str) -> QmpError {
    QmpError::generic(format!("QMP input member '{key}' {what}"))
}

fn parse_command(request: &Value, phase: Phase) -> Result<Command, CommandError> {
    let Frame { key, command: name, arguments } = Frame::parse(request, phase)?;
    let negotiation = phase == Phase::Negotiation;
    if negotiation && name != "qmp_capabilities" {
        let desc = "Expecting capabilities negotiation with 'qmp_capabilities'";
        return Err(QmpError::new(ErrorClass::CommandNotFound, desc).into());
    }
    let unmodelled = UNMODELLED.contains(&name);
    if !unmodelled && !Command::NAMES.contains(&name) {
        return Err(QmpError::command_not_found(name).into());
    }
    // No command of the storage daemon can run out of band.
    if key == "exec-oob" {
        return Err(QmpError::generic(format!("The command {name} does not support OOB")).into());
    }
    let none = Map::new();
    let command = match Command::new(name, arguments.unwrap_or(&none)) {
        Some(command) => command?,
        None => {
            return Err(CommandError::Unimplemented {
                member: key.to_owned(),
                value: name.to_owned(),
            });
        }
    };
    if matches!(command, Command::QmpCapabilities(_)) && !negotiation {
        let desc = "Capabilities negotiation is already complete, command ignored";
        return Err(QmpError::new(ErrorClass::CommandNotFound, desc).into());
    }
    Ok(command)
}
