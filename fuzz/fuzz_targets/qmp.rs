//! Raw bytes to a QMP server: no input may make it panic, or answer with anything but QMP.
//!
//! On a stable compiler, without a sanitizer, as the code under test has no `unsafe`:
//!
//! ```text
//! cargo fuzz run -s none qmp -- -dict=fuzz/qmp.dict
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| blkperm_tests::session::say(bytes));
