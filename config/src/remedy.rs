//! What the operator can do about a file that cannot be used: `; <advice>`, or nothing where the error says it all.

use std::io::{Error, ErrorKind};

/// For a file that cannot be read.
pub(crate) fn for_reading(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "; restore it from a backup",
        _ => for_writing(error),
    }
}

/// For a file or directory that cannot be written or made.
pub(crate) fn for_writing(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => "; make the user of the server its owner (chown), or run this as that user",
        ErrorKind::IsADirectory => "; remove this directory: a file belongs there",
        ErrorKind::ReadOnlyFilesystem => "; mount the file system writable",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space on this disk",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_the_error() {
        assert_eq!(for_reading(&ErrorKind::NotFound.into()), "; restore it from a backup");
        assert!(for_reading(&ErrorKind::PermissionDenied.into()).contains("chown"));
        assert_eq!(for_writing(&ErrorKind::NotFound.into()), "");
    }
}
