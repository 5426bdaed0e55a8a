//! Version of the program.

/// `v<version> / <first 7 digits of the commit>`; without a known commit nothing follows the slash.
macro_rules! version {
    () => {
        concat!("v", env!("CARGO_PKG_VERSION"), " / ", env!("SMP_SERVER_COMMIT"))
    };
}

/// The line that `smp-server -v` prints; provisioning scripts take it apart.
macro_rules! version_line {
    () => {
        concat!("SMP server ", version!())
    };
}
