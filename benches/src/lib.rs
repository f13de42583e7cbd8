//! The workloads of the benchmarks: graphs of one shape and any size, under any rule and any update
//! algorithm, and what is done to them.

mod build;
mod counted;
mod shape;
mod workload;

pub use counted::{Counted, Counts};
pub use shape::Shape;
pub use workload::{Update, Workload};
