//! What becomes of a command that is not done.

use blkperm_graph::Refusal;
use blkperm_jobs::{Abort, Denied, Failure};

use super::text;
use crate::QmpError;

/// Why a command is not done.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Failed {
    /// QEMU answers with this error.
    #[error(transparent)]
    Error(#[from] QmpError),
    /// QEMU's process ends.
    #[error(transparent)]
    Abort(#[from] Abort),
}

impl Failed {
    /// The failure with that text, in QEMU's usual class.
    pub(super) fn generic(desc: impl Into<String>) -> Failed {
        Failed::Error(QmpError::generic(desc))
    }
}

impl From<Denied> for Failed {
    fn from(denied: Denied) -> Failed {
        Failed::Error(text::denied(&denied))
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Failed {
        Failed::from(Denied::Refused(refusal))
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        match failure {
            Failure::Denied(denied) => denied.into(),
            Failure::Abort(abort) => abort.into(),
        }
    }
}
