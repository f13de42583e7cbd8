//! What was measured, for programs.

use super::Report;
use super::error::Error;

/// The report as JSON.
///
/// # Errors
///
/// Fails when a number is not finite.
pub(crate) fn text(report: &Report) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(report)?)
}
