//! The world of a wrapped program is that of a trial.

use std::io::Read;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};

use crate::wrapper::{exec, pid, says, shell, stderr, stdout};

#[test]
fn the_program_is_root_of_a_host_with_a_loopback_interface() {
    let output = shell("id -u; hostname; cat /proc/1/comm /proc/net/if_inet6; ls -A /tmp | wc -l");
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(&lines[..3], ["0", "sh", "snowglobe-trial"], "{text}");
    // `lo` is up where it has its address.
    says(&text, &["00000000000000000000000000000001", " lo"]);
    assert!(!text.contains(" eth0"), "{text}");
    assert!(output.status.success());
}

#[test]
fn the_host_is_read_only_and_the_repository_is_not() {
    let name = format!("target-of-{}", std::process::id());
    let output = shell(&format!(
        "touch /usr/{name} 2>&1; touch {name} && ls {name} && rm {name}"
    ));
    let text = stdout(&output);
    says(&text, &["Read-only file system"]);
    assert_eq!(text.lines().last(), Some(&*name), "{text}");
    assert!(output.status.success());
}

#[test]
fn many_programs_bind_the_same_port_at_once() {
    // netcat is not everywhere; the program of this test is.
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let line = [
        "--",
        program,
        "--exact",
        "world::holds_port_80_until_its_stdin_ends",
        "--ignored",
        "--nocapture",
    ];
    let mut children: Vec<_> = (0..5)
        .map(|_| {
            let mut command = exec(&line);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    // All have bound the port before the first is let go.
    for child in &mut children {
        let stdout = child.stdout.as_mut().unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"bound") {
            let mut byte = [0];
            assert_eq!(
                stdout.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&heard)
            );
            heard.push(byte[0]);
        }
    }
    for mut child in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
#[ignore = "a part of another test"]
fn holds_port_80_until_its_stdin_ends() {
    let _listener = std::net::TcpListener::bind("0.0.0.0:80").unwrap();
    println!("bound");
    let _ = std::io::stdin().read_to_string(&mut String::new());
}

#[test]
fn survivors_are_named_and_killed() {
    // The pipe has no writer left when the survivor is gone, and the read below ends.
    let output = shell("sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; exit 3");
    assert_eq!(output.status.code(), Some(3));
    says(&stderr(&output), &["left running, and killed: sleep (pid "]);
}

#[test]
fn a_time_out_says_what_hangs_and_kills_everything() {
    let output = exec(&["--timeout", "200ms", "--", "sh", "-c", "sleep 1000; true"]);
    let output = { output }.output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    says(
        &stderr(&output),
        &["timed out after 200ms", "what hangs:", "sleep"],
    );
}

#[test]
fn a_wrapper_that_is_killed_takes_the_program_along() {
    let mut child = exec(&["--", "sh", "-c", "echo ready; sleep 1000"]);
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    stdout.read_exact(&mut ready).unwrap();
    kill(pid(&child), Signal::SIGKILL).unwrap();
    // The pipe ends when nobody has it any more.
    assert_eq!(stdout.read(&mut ready).unwrap(), 0);
    assert!(!child.wait().unwrap().success());
}

#[test]
fn another_user_has_its_id_and_no_capabilities() {
    let output = exec(&[
        "--user",
        "4711",
        "--",
        "sh",
        "-c",
        "id -u; grep CapEff /proc/self/status",
    ]);
    let output = { output }.output().unwrap();
    says(&stdout(&output), &["4711\n", "CapEff:\t0000000000000000"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_world_of_a_failed_program_is_kept_until_a_signal() {
    let mut child = exec(&["--keep", "--", "sh", "-c", "exit 9"]);
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut said).unwrap();
    says(&said, &["exited with code 9", "nsenter --target "]);
    let init = said
        .split("--target ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let comm = std::fs::read_to_string(format!("/proc/{init}/comm")).unwrap();
    assert_eq!(comm.trim(), "snowglobe-trial");
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn the_world_of_a_program_that_took_too_long_is_kept_until_a_signal() {
    let words = ["--keep", "--timeout", "1s", "--", "sleep", "1000"];
    let mut child = exec(&words).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map(Result::unwrap);
    let said = lines.find(|line| line.contains("nsenter")).unwrap();
    says(&said, &["the program still runs", "its world is kept"]);
    let init = said.split("--target ").nth(1).unwrap();
    let init = init.split(' ').next().unwrap();
    let comm = std::fs::read_to_string(format!("/proc/{init}/comm")).unwrap();
    assert_eq!(comm.trim(), "snowglobe-trial");
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(124));
}
