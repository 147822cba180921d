//! The runner runs itself: each test starts this same program on samples that misbehave.

mod capture;
/// Tests that start their own program again.
mod children {
    include!("../shared/children.rs");
}
mod command_line;
mod forks;
mod hooks;
mod ids;
mod lost_reports;
mod notes;
#[path = "ids/numbers.rs"]
mod numbers;
mod parameters;
mod samples;
mod scheduling;
mod signals;
mod succession;
mod system;
mod thread;
mod verdicts;

snowglobe::main!(parameters::trials);
