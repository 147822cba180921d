//! Trials that wait in vain, or that starve the machine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use snowglobe::prelude::*;

const SHORT: Duration = Duration::from_millis(40);

/// Prints what each kind of wait says that was in vain.
#[snowglobe::test(ignore = "a sample")]
async fn waits_for_everything() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").unwrap();
    let link = lab.links().next().unwrap();
    // The waits of these begin after the patience of the lab has changed.
    let barrier = lab.barrier(2);
    let mut events = lab.events();
    let rule = link.rule(udp().port(9), Verdict::Drop)?;
    let other = alice.command("sleep").arg("1000").spawn()?;
    let point = other.pause_when(snowglobe::lab::Point::line("ready"))?;
    lab.set_patience(SHORT);
    let closed = || Err::<(), _>("closed");
    let closed_async = || async { Err::<(), _>("closed") };
    let mut program = alice.command("sleep").arg("1000").spawn()?;
    let packet = link.expect(udp().port(7))?;
    let told: Vec<String> = vec![
        snowglobe::lab::wait_until(SHORT, closed)
            .unwrap_err()
            .to_string(),
        snowglobe::lab::wait_until_async(SHORT, closed_async)
            .await
            .unwrap_err()
            .to_string(),
        lab.wait_until(closed).unwrap_err().to_string(),
        lab.wait_until_async(closed_async)
            .await
            .unwrap_err()
            .to_string(),
        alice.wait_until(closed).unwrap_err().to_string(),
        alice.wait_for_port(80).unwrap_err().to_string(),
        alice.wait_for_port_async(80).await.unwrap_err().to_string(),
        lab.barrier(2).wait("one").unwrap_err().to_string(),
        lab.events()
            .wait_for("the flood", |_| false)
            .unwrap_err()
            .to_string(),
        program.wait_for_log("ready").unwrap_err().to_string(),
        program.wait_timeout(SHORT).unwrap_err().to_string(),
        program
            .wait_timeout_async(SHORT)
            .await
            .unwrap_err()
            .to_string(),
        packet.within(SHORT).unwrap_err().to_string(),
        barrier.wait("one").unwrap_err().to_string(),
        events
            .wait_for("the flood", |_| false)
            .unwrap_err()
            .to_string(),
        lab.events()
            .within(SHORT)
            .wait_for("the flood", |_| false)
            .unwrap_err()
            .to_string(),
        rule.wait_for_hits(1).unwrap_err().to_string(),
        point.wait().unwrap_err().to_string(),
    ];
    program.kill()?;
    for line in told {
        println!("told: {line}");
    }
    panic!("to show it");
}

#[snowglobe::test(ignore = "a sample", timeout = "300ms")]
fn hangs() {
    std::thread::sleep(Duration::from_secs(100));
}

/// Wants more processors than there are for most of the trial's time. On a busy machine the
/// beginning of the trial may take seconds, in which the trial waits for other things.
fn starve() {
    let began: u64 = std::env::var("SAMPLE_BEGAN").unwrap().parse().unwrap();
    let began = UNIX_EPOCH + Duration::from_millis(began);
    let beginning = SystemTime::now().duration_since(began).unwrap();
    let end = Instant::now() + (4 * beginning).max(Duration::from_millis(700));
    let processors = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..3 * processors {
            scope.spawn(|| while Instant::now() < end {});
        }
    });
}

#[snowglobe::test(ignore = "a sample", starved = "inconclusive")]
fn starves_and_passes() {
    starve();
}

#[snowglobe::test(ignore = "a sample", starved = "inconclusive")]
fn starves_and_fails() {
    starve();
    panic!("too late");
}

#[snowglobe::test(ignore = "a sample")]
fn starves_and_fails_as_elsewhere() {
    starve();
    panic!("too late");
}
