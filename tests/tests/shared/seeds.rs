// Samples whose verdict depends on the seed, the same under every harness.

/// Leaves a file named after the seed, and fails with one seed in ten.
#[snowglobe::test(ignore = "a sample")]
fn fails_with_one_seed_in_ten() {
    leave_seed();
    assert!(!snowglobe::seed().is_multiple_of(10), "an unlucky seed");
}

#[snowglobe::test(ignore = "a sample", seeds = 20)]
fn has_twenty_seeds() {
    leave_seed();
}

#[snowglobe::test(ignore = "a sample", seed = 42)]
fn has_a_fixed_seed() {
    leave_seed();
}

/// Adds the seed to a file that the runs of a sample share.
fn leave_seed() {
    use std::io::Write as _;
    let Some(dir) = std::env::var_os("SAMPLE_DIR") else {
        return;
    };
    let path = std::path::Path::new(&dir).join("seeds");
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    // One write of a short text to a file that is open for appending is not torn (write(2)).
    let line = format!("{}\n", snowglobe::seed());
    file.write_all(line.as_bytes()).unwrap();
}

/// Fails with what a wait of 40 ms says that was in vain.
#[snowglobe::test(ignore = "a sample")]
fn waits_in_vain() -> snowglobe::TestResult {
    let limit = std::time::Duration::from_millis(40);
    snowglobe::lab::wait_until(limit, || Err::<(), _>("the door is closed"))?;
    Ok(())
}

/// Fails under one of two faults.
#[snowglobe::test(ignore = "a sample")]
fn fails_under_one_of_two_faults() -> snowglobe::TestResult {
    use snowglobe::fault::{Fault, Schedule};
    use snowglobe::topology::shape;
    use std::time::Duration;
    let lab = shape::pair().start()?;
    let lasts = Duration::from_millis(5);
    let schedule = Schedule::new()
        .then(Duration::ZERO, lasts, Fault::pause("alice"))
        .then(2 * lasts, lasts, Fault::pause("bob"));
    lab.run_schedule(&schedule)?.wait()?;
    let events = lab.events().so_far();
    let is_paused = |text: &str| text.contains("began: pause of node `bob`");
    assert!(!events.iter().any(|it| is_paused(&it.to_string())), "bob was paused");
    Ok(())
}
