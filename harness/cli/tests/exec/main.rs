//! `snowglobe exec` is not noticed: a program in a world of its own has what it has without one,
//! and its caller sees what the caller sees without one.

mod bad_input;
mod cargo;
mod kept;
mod labs;
mod signals;
mod stdio;
mod stress;
mod terminal;
mod world;
mod wrapper;

/// Returns the variables that each start of `snowglobe exec` has beside those of the tests, as
/// env(1) takes them. The tests of `resident` have some.
fn variables() -> Vec<String> {
    Vec::new()
}
