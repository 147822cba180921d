//! Trials that are the same twice, or are not.

use std::path::PathBuf;

use snowglobe::prelude::*;

/// Returns whether this is the first run, for `SAMPLE_DIR` has nothing yet.
pub(crate) fn is_first_run() -> bool {
    number_of_run("run") == 0
}

/// Returns the number of this run among those of a kind, from 0 on. `SAMPLE_DIR` counts them.
pub(crate) fn number_of_run(kind: &str) -> usize {
    let dir = PathBuf::from(std::env::var("SAMPLE_DIR").unwrap());
    let is_mine = |number: &usize| {
        let file = dir.join(format!("{kind}-{number}"));
        std::fs::File::create_new(file).is_ok()
    };
    (0..).find(is_mine).unwrap()
}

/// Runs a program in a lab that writes a line.
fn say(text: &str) -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").unwrap();
    let mut command = alice.command("sh");
    command.args(["-c", "echo $1 at $(date +%T)", "sh", text]);
    let program = command.spawn()?;
    program.wait_for_log(text)?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn draws_from_its_seed() -> TestResult {
    say(&format!("{}", snowglobe::seed() % 1000))
}

#[snowglobe::test(ignore = "a sample")]
fn says_something_else() -> TestResult {
    say(if is_first_run() { "red" } else { "blue" })
}

#[snowglobe::test(ignore = "a sample")]
fn has_another_address() -> TestResult {
    let mut topology = Topology::new();
    let [a, b] = ["a", "b"].map(|name| topology.node(name));
    let network = if is_first_run() { "10.1.0" } else { "10.2.0" };
    let address = |host| format!("{network}.{host}/24");
    topology.link_with(a, b, LinkSpec::new().addresses(address(1), address(2)));
    topology.start()?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn fails_the_second_time() {
    assert!(is_first_run(), "this is the second run");
}

#[snowglobe::test(ignore = "a sample")]
fn aborts_after_a_difference() {
    let text = if is_first_run() { "red" } else { "blue" };
    let _ = say(text);
    std::process::abort();
}

/// Has a schedule whose only fault lasts longer in the second run.
#[snowglobe::test(ignore = "a sample")]
fn has_another_schedule() -> TestResult {
    use snowglobe::fault::{Fault, Schedule};
    let lab = shape::pair().start()?;
    let lasts = Duration::from_millis(if is_first_run() { 20 } else { 21 });
    let schedule = Schedule::new().then(Duration::ZERO, lasts, Fault::pause("alice"));
    lab.run_schedule(&schedule)?.wait()?;
    Ok(())
}

/// Draws two schedules with one nemesis, and leaves them in the file that `SAMPLE_FILE` names.
#[snowglobe::test(ignore = "a sample")]
fn draws_two_schedules() -> TestResult {
    use snowglobe::fault::Nemesis;
    let lab = shape::pair().start()?;
    let nemesis = Nemesis::crashes(Duration::from_secs(20));
    let (first, second) = (lab.draw(&nemesis)?, lab.draw(&nemesis)?);
    assert_ne!(first, second);
    // A nemesis with a seed of its own draws the same schedule each time, and does not count.
    let own = nemesis.clone().seed(7);
    assert_eq!(lab.draw(&own)?, lab.draw(&own)?);
    let third = lab.draw(&nemesis)?;
    assert!(third != first && third != second);
    let text = format!("{first}\n{second}\n{third}");
    std::fs::write(std::env::var("SAMPLE_FILE")?, text)?;
    Ok(())
}

/// Draws a schedule and losses, which come from the seed.
#[snowglobe::test(ignore = "a sample")]
fn draws_a_schedule() -> TestResult {
    use snowglobe::fault::{Fault, Nemesis, NodeRef};
    let lab = shape::pair().start()?;
    let ms = Duration::from_millis;
    let nemesis = Nemesis::new(ms(300)).fault(1, Fault::pause(NodeRef::any()));
    let nemesis = nemesis
        .first_after(ms(0))
        .quiet(ms(10)..=ms(20))
        .lasts(ms(10)..=ms(20));
    lab.nemesis(&nemesis)?.wait()?;
    Ok(())
}
