// Tests that start their own program again, as suites that test processes do. A child has what it
// would have without isolation, and is in the world of its parent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

/// Environment variable that a test sets for its child.
const CHILD: &str = "SAMPLE_CHILD";

/// Test functions that do something in a child only.
mod cases {
    use super::*;

    fn in_child(work: impl FnOnce()) {
        if std::env::var_os(CHILD).is_some() {
            work()
        }
    }

    #[snowglobe::test]
    fn passes() {
        in_child(|| println!("pid {}, child of {}", std::process::id(), parent()));
    }

    #[snowglobe::test]
    fn panics() {
        in_child(|| panic!("as a child does"));
    }

    #[snowglobe::test]
    fn exits_with_zero() {
        in_child(|| std::process::exit(0));
    }

    #[snowglobe::test]
    fn exits_with_seven() {
        in_child(|| std::process::exit(7));
    }

    #[snowglobe::test]
    fn aborts() {
        in_child(|| std::process::abort());
    }

    #[snowglobe::test]
    fn echoes() {
        in_child(|| {
            let mut heard = String::new();
            std::io::stdin().read_to_string(&mut heard).unwrap();
            println!("heard {heard}");
        });
    }

    #[snowglobe::test]
    fn connects() {
        in_child(|| {
            let mut stream = TcpStream::connect("127.0.0.1:80").unwrap();
            stream.write_all(b"from the child").unwrap();
        });
    }

    #[snowglobe::test]
    fn waits_to_be_killed() {
        in_child(|| {
            println!("ready");
            loop {
                std::thread::park();
            }
        });
    }

    #[snowglobe::test(ignore = "only where a parent asks for it")]
    fn is_ignored() {
        in_child(|| std::process::exit(9));
    }

    #[snowglobe::test]
    fn makes_a_lab() {
        in_child(|| drop(snowglobe::topology::shape::pair().start().unwrap()));
    }

    #[snowglobe::test(should_panic = "the right text")]
    fn panics_as_it_should() {
        panic!("the right text");
    }
}

fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// Returns the command for a case, as nextest and many suites run one.
fn child(case: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let case = format!("children::cases::{case}");
    command.args(["--exact", &case, "--nocapture", "--include-ignored"]);
    command.env(CHILD, "1").stdin(Stdio::null());
    command
}

fn output(mut command: Command) -> (Output, String) {
    let output = command.output().unwrap();
    let text = [&*output.stdout, &*output.stderr].concat();
    (output, String::from_utf8(text).unwrap())
}

fn piped(case: &str) -> Child {
    let mut command = child(case);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[snowglobe::test]
fn a_child_that_passes_is_an_ordinary_child() {
    let child = piped("passes");
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told = format!("pid {id}, child of {}", std::process::id());
    assert!(text.contains(&told), "no {told:?} in {text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[snowglobe::test]
fn children_have_the_exit_codes_that_they_choose() {
    for (case, code) in [
        ("panics", 101),
        ("exits_with_zero", 0),
        ("exits_with_seven", 7),
        ("is_ignored", 9),
        ("panics_as_it_should", 0),
        ("echoes", 0),
    ] {
        let (output, text) = output(child(case));
        assert_eq!(output.status.code(), Some(code), "{case}: {text}");
    }
    assert!(output(child("panics")).1.contains("as a child does"));
}

#[snowglobe::test]
fn a_child_that_aborts_is_killed_by_that_signal() {
    let (output, text) = output(child("aborts"));
    assert_eq!(output.status.signal(), Some(6), "{text}");
}

#[snowglobe::test]
fn a_child_reads_what_its_parent_writes() {
    let mut child = piped("echoes");
    child.stdin.take().unwrap().write_all(b"hello").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("heard hello"), "{text}");
}

#[snowglobe::test]
fn a_child_is_in_the_network_of_its_parent() {
    let listener = TcpListener::bind("127.0.0.1:80").unwrap();
    let mut child = child("connects").spawn().unwrap();
    let mut heard = String::new();
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "from the child");
    assert!(child.wait().unwrap().success());
}

#[snowglobe::test]
fn a_child_dies_of_the_signals_that_it_is_sent() {
    let mut child = piped("waits_to_be_killed");
    let mut stdout = child.stdout.take().unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"ready\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        heard.extend(byte);
    }
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[snowglobe::test]
fn a_child_needs_no_environment() {
    let mut command = child("exits_with_seven");
    command.env_clear().env(CHILD, "1");
    let (output, text) = output(command);
    assert_eq!(output.status.code(), Some(7), "{text}");
}

#[snowglobe::test]
fn a_child_under_nextest_is_the_same() {
    let mut command = child("exits_with_seven");
    command.env("NEXTEST", "1").env("NEXTEST_EXECUTION_MODE", "process-per-test");
    let (output, text) = output(command);
    assert_eq!(output.status.code(), Some(7), "{text}");
}

#[snowglobe::test]
fn a_child_in_a_node_is_the_same() -> snowglobe::TestResult {
    let lab = snowglobe::topology::shape::pair().start()?;
    let node = lab.node("alice").ok_or("alice")?;
    let output = node.command_like(&child("exits_with_seven")).output()?;
    assert_eq!(output.status.code(), Some(7), "{}", output.stderr_str());
    let output = node.command_like(&child("makes_a_lab")).output()?;
    assert_eq!(output.status.code(), Some(101));
    let text = format!("{}{}", output.stdout_str(), output.stderr_str());
    assert!(text.contains("the option `nested`"), "{text}");
    Ok(())
}

/// A trial in which sandboxes can be made has its children make them.
#[snowglobe::test(nested)]
fn a_child_of_a_nested_trial_is_in_a_world_within() {
    let (output, text) = output(child("passes"));
    assert!(output.status.success(), "{text}");
    if !is_standard_harness() {
        assert!(text.contains("each in user, net"), "{text}");
    }
}

fn is_standard_harness() -> bool {
    let (_, help) = output({
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--help");
        command
    });
    !help.contains("SNOWGLOBE")
}

#[snowglobe::test]
fn a_child_may_run_several_tests() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["children::cases::pa", "--test-threads", "1"]).env(CHILD, "1");
    // These are for the run of this trial, and take sandboxes, of which the children make none.
    command.env("SNOWGLOBE_TIMEOUT", "30s").env("SNOWGLOBE_RUNS", "2");
    let (output, text) = output(command);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains("2 passed; 1 failed"), "{text}");
    assert!(text.contains("as a child does"), "{text}");
}
