//! Texts within binary headers.

/// The text up to the first byte that is zero.
pub(super) fn up_to_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
