//! Trials that run with many seeds. Each test starts this same program on samples.

mod many;
mod shrink;
mod shrink_samples;
mod slow;
mod slow_samples;
mod twice;
mod twice_samples;
mod samples {
    include!("../shared/seeds.rs");
}

snowglobe::main!();
