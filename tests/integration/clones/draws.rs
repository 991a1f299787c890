// Rust's share of draws.py.
use rand::{rngs::OsRng, thread_rng, RngCore};
use std::io::BufRead;

fn main() {
    for _ in std::io::stdin().lock().lines() {
        println!(
            "{{\"OsRng\":\"{:016x}{:016x}\",\"uuid\":\"{}\",\"thread_rng\":\"{:016x}{:016x}\"}}",
            OsRng.next_u64(), OsRng.next_u64(), uuid::Uuid::new_v4(), thread_rng().next_u64(), thread_rng().next_u64()
        );
    }
}
