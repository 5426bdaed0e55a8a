//! Version of the program.

/// `SMP server v<version> / <first 7 digits of the commit>`; without a known commit nothing follows the slash.
pub fn version_line() -> String {
    format!("SMP server v{} / {}", env!("CARGO_PKG_VERSION"), env!("SMP_SERVER_COMMIT"))
}
