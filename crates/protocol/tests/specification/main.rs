//! The numbers that the wire specification gives.

mod examples;
mod numbers;
mod sizes;
