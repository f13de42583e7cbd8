//! Errors as QMP speaks them.

use serde::{Deserialize, Serialize};

/// The class of a QMP error, which clients may tell apart by program.
///
/// Source: `QapiErrorClass` in QEMU's QMP specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// Everything that has no class of its own.
    GenericError,
    /// The command does not exist, or may not be used at this point of the session.
    CommandNotFound,
    /// The device exists, but is not active.
    DeviceNotActive,
    /// No such device.
    DeviceNotFound,
    /// A capability of KVM is missing.
    KVMMissingCap,
}

/// What QMP puts below `error`: a class and a sentence for people.
///
/// It serialises to `{"class": …, "desc": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[error("{desc}")]
pub struct QmpError {
    /// The class.
    pub class: ErrorClass,
    /// QEMU's sentence, word for word.
    pub desc: String,
}

impl QmpError {
    /// An error of the given class.
    pub fn new(class: ErrorClass, desc: impl Into<String>) -> Self {
        let desc = desc.into();
        Self { class, desc }
    }

    /// An error of class `GenericError`.
    pub fn generic(desc: impl Into<String>) -> Self {
        Self::new(ErrorClass::GenericError, desc)
    }

    /// The answer to a command which nobody knows.
    pub fn command_not_found(command: &str) -> Self {
        let desc = format!("The command {command} has not been found");
        Self::new(ErrorClass::CommandNotFound, desc)
    }
}

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// QEMU refuses it too, in these words.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// QEMU may well accept it, but nobody has modelled this part of QEMU yet.
    #[error("'{value}' of '{member}' is known to QEMU, but not to blkperm")]
    Unimplemented {
        /// The request member that asks for it: `execute`, `driver`, `type`, …
        member: String,
        /// What it asks for.
        value: String,
    },
}

impl CommandError {
    /// The error object for a client. A command that is not implemented is answered as one that QEMU
    /// does not know, which is what clients look for; anything else in our own words.
    pub fn into_qmp(self) -> QmpError {
        match self {
            Self::Qmp(error) => error,
            Self::Unimplemented { member, value } if member == "execute" => {
                QmpError::command_not_found(&value)
            }
            unimplemented @ Self::Unimplemented { .. } => {
                QmpError::generic(unimplemented.to_string())
            }
        }
    }
}

impl serde::de::Error for CommandError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Qmp(QmpError::generic(message.to_string()))
    }
}
