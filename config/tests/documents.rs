//! Documents that are generated from this crate.

use std::fs;
use std::path::Path;

use smp_config::settings::limits_document;

#[test]
fn the_limits_document_is_the_rendering_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/limits.md");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&path, limits_document()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        limits_document(),
        "run UPDATE_DOCUMENTS=1 cargo test -p smp-config --test documents"
    );
}
