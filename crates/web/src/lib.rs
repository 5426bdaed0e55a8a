//! The web site of a server: what it says about itself, and pages for links to it (operations.md §11).
//!
//! | Part | What |
//! |---|---|
//! | [`pages`] | the pages, made from the settings |
//! | [`static_site`] | writes them to `static_path`, from which they are served, with what the operator put beside them |
//! | [`public`] | the same information for programs, `/info.json` |
//! | [`site`] | answers requests |
//! | [`connection`] | HTTP on a stream, within limits |
//! | [`https`] | the web certificate, which may come, change and be broken at any time |

pub mod connection;
pub mod https;
pub mod pages;
pub mod public;
pub mod site;
pub mod static_site;
