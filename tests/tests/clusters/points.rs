//! Programs that are stopped at a point, and the races that are met there without a sleep.

use std::thread;

use snowglobe::lab::{LabErrorKind, Point};
use snowglobe::prelude::*;

use crate::{MS, nodes, program_of_script, stat, tell};

/// A program that looks whether a file is there, says so, and would overwrite it a moment later.
const CHECK_THEN_WRITE: &str = "read go; [ -e /tmp/lock ] || echo free; sleep 1; \
                                [ -e /tmp/lock ] && echo lost || echo won";

#[snowglobe::test]
fn the_time_between_check_and_use_is_met_exactly() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut process = program_of_script(n1, "sh", CHECK_THEN_WRITE)?;
    let point = process.pause_when(Point::line("free"))?;
    assert!(!point.is_reached());
    tell(&mut process, "go")?;
    assert_eq!(point.wait()?, "free");
    let state = stat(n1, &process)?;
    assert!(state.contains(") T "), "{state:?}");
    n1.command("touch").arg("/tmp/lock").status()?;
    point.go_on();
    process.wait_for_log("lost")?;
    Ok(())
}

#[snowglobe::test]
fn a_program_stops_when_a_file_appears_and_goes_on_when_the_guard_is_dropped() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let script = "while [ ! -e /tmp/end ]; do sleep 0.01; done; echo over";
    let process = n1.command("sh").args(["-c", script]).spawn()?;
    let point = process.pause_when(Point::file("/tmp/mark"))?;
    n1.command("touch").arg("/tmp/mark").status()?;
    assert_eq!(point.wait()?, "/tmp/mark");
    n1.command("touch").arg("/tmp/end").status()?;
    assert!(process.log().is_empty());
    drop(point);
    process.wait_for_log("over")?;
    Ok(())
}

#[snowglobe::test]
fn a_relative_path_begins_where_the_program_works() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    n1.command("mkdir").arg("/tmp/work").status()?;
    let script = "cd /tmp/work && echo ready && exec sleep 1000";
    let process = n1.command("sh").args(["-c", script]).spawn()?;
    process.wait_for_log("ready")?;
    let point = process.pause_when(Point::file("mark"))?;
    n1.command("touch").arg("/tmp/work/mark").status()?;
    assert_eq!(point.wait()?, "mark");
    Ok(())
}

/// The packet that brings the news is held until the program stands still, however long that takes.
#[snowglobe::test]
fn a_program_stands_still_when_the_packet_arrives() -> TestResult {
    let lab = nodes(2)?;
    let (n1, n2) = (
        lab.node("n1").ok_or("no n1")?,
        lab.node("n2").ok_or("no n2")?,
    );
    let script = "use IO::Socket::INET; \
                  my $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => 7000) or die; \
                  $| = 1; print \"ready\\n\"; $s->recv(my $x, 9); print \"heard $x\\n\"; sleep 1000";
    let process = n2.command("perl").args(["-e", script]).spawn()?;
    process.wait_for_log("ready")?;
    let link = lab.links().nth(1).ok_or("no link")?;
    let point = process.pause_when(Point::packet(link, udp().port(7000)))?;
    let socket = n1.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    socket.send_to(b"news", (n2.ip(), 7000))?;
    point.wait()?;
    thread::sleep(50 * MS);
    assert_eq!(process.log().len(), 1, "{:?}", process.log());
    point.go_on();
    process.wait_for_log("heard news")?;
    Ok(())
}

#[snowglobe::test]
fn a_point_that_is_not_reached_is_an_error_with_the_last_lines() -> TestResult {
    let lab = nodes(1)?;
    lab.set_patience(200 * MS);
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut process = n1
        .command("sh")
        .args(["-c", "echo here; exec sleep 1000"])
        .spawn()?;
    let point = process.pause_when(Point::line("there"))?;
    let error = point.wait().unwrap_err();
    assert_eq!(
        error.to_string(),
        "waited 200ms in vain for `n1/sh` to reach a line with \"there\"; last seen: its last \
         lines:\nhere"
    );
    process.kill()?;
    process.wait()?;
    assert_eq!(point.wait().unwrap_err().kind(), LabErrorKind::ProcessEnded);
    let nowhere = process
        .pause_when(Point::file("/no/such/directory"))
        .unwrap_err();
    assert_eq!(nowhere.kind(), LabErrorKind::NotFound);
    Ok(())
}

/// Whoever brings the program to its point is a future of the thread that waits.
#[snowglobe::test]
async fn a_point_is_awaited_beside_the_future_that_leads_there() -> TestResult {
    let lab = nodes(1)?;
    let n1 = lab.node("n1").ok_or("no n1")?;
    let mut process = program_of_script(n1, "sh", CHECK_THEN_WRITE)?;
    let point = process.pause_when(Point::line("free"))?;
    let lead = async {
        // Twice as long as a wait that blocks has for one look.
        tokio::time::sleep(40 * MS).await;
        tell(&mut process, "go")
    };
    let (at, led) = tokio::join!(point.wait_async(), lead);
    led?;
    assert_eq!(at?, "free");
    n1.command("touch").arg("/tmp/lock").status()?;
    point.go_on();
    process.wait_for_log_async("lost").await?;
    lab.set_patience(100 * MS);
    let point = process.pause_when(Point::line("again"))?;
    assert!(point.wait_async().await.is_err());
    Ok(())
}
