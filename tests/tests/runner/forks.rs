//! A process that a test has forked cannot speak for the test.

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

use snowglobe_tests::sample;

/// Forks this process, the only thread of which is the caller.
#[expect(unsafe_code, reason = "the samples are about forks")]
fn fork() -> ForkResult {
    // SAFETY: the process has one thread, so the child may do what its parent could.
    unsafe { nix::unistd::fork() }.unwrap()
}

/// Returns the exit code of a child.
fn code(child: Pid) -> i32 {
    match waitpid(child, None).unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[snowglobe::test(ignore = "a sample")]
fn child_returns_and_parent_exits_with_0() {
    snowglobe::at_end(|passed| snowglobe::note(format!("told {passed}")));
    if let ForkResult::Parent { child } = fork() {
        assert_eq!(code(child), 0);
        std::process::exit(0)
    }
}

#[snowglobe::test(ignore = "a sample")]
fn child_panics_and_parent_returns() {
    match fork() {
        ForkResult::Parent { child } => assert_eq!(code(child), 101),
        ForkResult::Child => panic!("in the child"),
    }
}

#[snowglobe::test(ignore = "a sample", should_panic)]
fn child_and_parent_panic_as_they_should() {
    if let ForkResult::Parent { child } = fork() {
        assert_eq!(code(child), 0);
    }
    panic!("as it should")
}

#[snowglobe::test(ignore = "a sample", should_panic)]
fn child_returns_and_parent_panics() {
    if let ForkResult::Parent { child } = fork() {
        assert_eq!(code(child), 101);
        panic!("as it should")
    }
}

#[snowglobe::test(ignore = "a sample")]
fn child_notes_and_parent_returns() {
    match fork() {
        ForkResult::Parent { child } => assert_eq!(code(child), 3),
        ForkResult::Child => {
            snowglobe::note("the child was here");
            std::process::exit(3)
        }
    }
}

/// The child writes to whatever socket it finds, and so to the channel of the verdict.
#[snowglobe::test(ignore = "a sample")]
fn child_writes_rubbish_and_parent_returns() {
    match fork() {
        ForkResult::Parent { child } => assert_eq!(code(child), 0),
        ForkResult::Child => {
            for fd in 3..64 {
                let flags = nix::sys::socket::MsgFlags::MSG_DONTWAIT;
                let _ = nix::sys::socket::send(fd, b"rubbish", flags);
            }
            std::process::exit(0)
        }
    }
}

#[snowglobe::test(nested)]
fn a_child_that_returns_does_not_pass_for_its_parent() {
    let run = sample("forks::child_returns_and_parent_exits_with_0");
    run.failed_with(&[
        "exited with code 0 before the test had finished",
        "which the test has forked, returned from the test function",
    ]);
    // The work for the end of the trial is not the child's.
    assert!(!run.stdout.contains("told"), "{}", run.stdout);
}

/// A panic is a pass there, and a return is none.
#[snowglobe::test(nested)]
fn a_child_of_a_test_that_should_panic_is_told_by_what_it_did() {
    let run = sample("forks::child_and_parent_panic_as_they_should");
    run.passed_with(&[
        "which the test has forked, panicked in the test function, as the test should; the verdict",
    ]);
    assert!(!run.stdout.contains("returned"), "{}", run.stdout);
    sample("forks::child_returns_and_parent_panics").passed_with(&[
        "which the test has forked, came to the end of the test function and failed: ",
    ]);
}

#[snowglobe::test(nested)]
fn a_child_that_panics_does_not_fail_for_its_parent_and_is_told_of() {
    sample("forks::child_panics_and_parent_returns").passed_with(&[
        "which the test has forked, came to the end of the test function and failed: panicked: in the child",
    ]);
}

#[snowglobe::test(nested)]
fn a_note_of_a_child_is_shown_as_such() {
    sample("forks::child_notes_and_parent_returns").passed_with(&[
        "the child was here (of process ",
        "which the test has forked)",
    ]);
}

#[snowglobe::test(nested)]
fn rubbish_of_a_child_on_the_channel_hides_nothing() {
    sample("forks::child_writes_rubbish_and_parent_returns")
        .passed_with(&["wrote to the channel of the verdict"]);
}
