//! Names of parameters as QEMU spells them in errors.

use std::fmt;

use super::{MAX_DEPTH, Syntax};
use crate::{CommandError, QmpError};

/// The way from a command's arguments to a value in them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'p> {
    Root(Syntax),
    Member(&'p Path<'p>, &'p str),
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// The last name alone, which some errors are content with; QEMU prints a null pointer for an
    /// element of a list.
    fn short(&self) -> &str {
        match self {
            Self::Member(_, name) => name,
            Self::Root(_) | Self::Element(..) => "null",
        }
    }

    /// In which syntax the value was written.
    pub(super) fn syntax(&self) -> Syntax {
        match self {
            Self::Root(syntax) => *syntax,
            Self::Member(parent, _) | Self::Element(parent, _) => parent.syntax(),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Root(_) => 0,
            Self::Member(parent, _) | Self::Element(parent, _) => parent.depth() + 1,
        }
    }

    /// Refuses values that are nested deeper than [`MAX_DEPTH`].
    pub(super) fn check_depth(&self) -> Result<(), CommandError> {
        if self.depth() < MAX_DEPTH {
            return Ok(());
        }
        let value = format!("more than {MAX_DEPTH} levels");
        Err(CommandError::Unimplemented { member: "arguments".into(), value })
    }

    pub(super) fn missing(&self) -> CommandError {
        generic(format!("Parameter '{self}' is missing"))
    }

    pub(super) fn unexpected(&self) -> CommandError {
        generic(format!("Parameter '{self}' is unexpected"))
    }

    pub(super) fn unexpected_members(&self) -> CommandError {
        generic(format!("Parameters '{self}.*' are unexpected"))
    }

    pub(super) fn not(&self, expected: &str) -> CommandError {
        generic(format!("Parameter '{self}' expects {expected}"))
    }

    pub(super) fn invalid_type(&self, expected: &str) -> CommandError {
        generic(format!("Invalid parameter type for '{self}', expected: {expected}"))
    }

    pub(super) fn invalid_alternate(&self, expected: &str) -> CommandError {
        generic(format!("Invalid parameter type for '{}', expected: {expected}", self.short()))
    }

    pub(super) fn invalid_value(&self, value: &str) -> CommandError {
        generic(format!("Parameter '{}' does not accept value '{value}'", self.short()))
    }

    pub(super) fn out_of_range(&self, type_name: &str) -> CommandError {
        generic(format!("Parameter '{}' expects {type_name}", self.short()))
    }
}

fn generic(desc: String) -> CommandError {
    CommandError::Qmp(QmpError::generic(desc))
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(_) => Ok(()),
            Self::Member(Path::Root(_), name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => match self.syntax() {
                Syntax::Json => write!(f, "{parent}[{index}]"),
                Syntax::Keyval => write!(f, "{parent}.{index}"),
            },
        }
    }
}
