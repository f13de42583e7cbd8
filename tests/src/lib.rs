//! The test kit: slow and obvious versions of what the engine does fast, and random changes to try
//! both on.

pub mod algorithm;
pub mod flawed;
pub mod law;
pub mod operation;
pub mod paths;
pub mod session;
pub mod site;
pub mod slow;
pub mod snapshot;
