//! What becomes of a command that is not done.

use blkperm_graph::Refusal;
use blkperm_jobs::{Abort, Denied, Failure};

use super::text;
use crate::{CommandError, QmpError};

/// Why a command is not done.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Failed {
    /// QEMU answers with this error.
    #[error(transparent)]
    Error(#[from] QmpError),
    /// The block layer does not allow it, and QEMU answers with [`text::denied`].
    #[error("{}", text::denied(.0))]
    Denied(#[from] Denied),
    /// QEMU's process ends.
    #[error(transparent)]
    Abort(#[from] Abort),
}

impl Failed {
    /// The failure with that text, in QEMU's usual class.
    pub(super) fn generic(desc: impl Into<String>) -> Failed {
        Failed::Error(QmpError::generic(desc))
    }

    /// The failure of what QEMU may well do, but nobody has modelled: `value` of the member `member`.
    pub(super) fn unimplemented(member: &str, value: &str) -> Failed {
        let (member, value) = (member.to_owned(), value.to_owned());
        Failed::Error(CommandError::Unimplemented { member, value }.into_qmp())
    }

    /// The error with which QEMU answers.
    ///
    /// # Errors
    ///
    /// [`Abort`] where its process ends instead.
    pub fn into_answer(self) -> Result<QmpError, Abort> {
        match self {
            Failed::Error(error) => Ok(error),
            Failed::Denied(denied) => Ok(text::denied(&denied)),
            Failed::Abort(abort) => Err(abort),
        }
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
