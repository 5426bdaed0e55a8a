//! Seeds of random tests. Each is printed, which cargo shows when the test fails, and can be given to the next run.

use std::env;

use fastrand::Rng;

/// Names the seed.
const SEED: &str = "SMP_SOAK_SEED";

/// Random numbers from the seed in `SMP_SOAK_SEED`, or from a fresh one.
pub fn random() -> Rng {
    let seed = match env::var(SEED) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED} must be a number, not {text:?}")),
        Err(_) => fastrand::u64(..),
    };
    println!("{SEED}={seed}");
    Rng::with_seed(seed)
}
