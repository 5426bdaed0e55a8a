//! What names stand for (behaviour.md §3.18): `RSLV` is answered by asking an HTTP resolver that the operator chose.
//!
//! Of a request only the name is the client's, and it has no characters that mean anything in a URL. Redirects are not
//! followed, no proxy is taken from the environment, and nothing of an answer is used but a bounded body that must be a name
//! record. Nothing is kept: one request per `RSLV`.

mod actor;
mod resolution;
mod resolver;

pub use actor::{Names, Probe, Resolve};
pub use resolution::NameResolution;
pub use resolver::{InvalidResolver, Resolver};
