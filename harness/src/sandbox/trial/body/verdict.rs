//! What the end of a test function means: a pure function of how it ended, of the panics of the
//! process, and of the complaints.

use std::thread;

use super::panics::Panic;
use crate::model::panics::panic_message;
use crate::sandbox::protocol::trial::{FailureKind, Finish};
use crate::trial::{Failed, Options, ShouldPanic};

/// End of the test function: it returned or panicked.
pub(super) type End = thread::Result<Result<(), Failed>>;

/// Returns the verdict in the light of the complaints, each of which is a failure.
pub(super) fn consider(finish: Finish, complaints: &[String]) -> Finish {
    if complaints.is_empty() {
        return finish;
    }
    let complaints = complaints.join("\n");
    match finish {
        Finish::Passed => failed(complaints, ""),
        Finish::Failed {
            kind,
            on_stderr,
            location,
            complaints: _,
            reason,
        } => Finish::Failed {
            kind,
            on_stderr,
            location,
            complaints,
            reason,
        },
    }
}

/// Returns a failure that is no panic of the test's own thread.
pub(super) fn failed(reason: impl Into<String>, location: impl Into<String>) -> Finish {
    Finish::Failed {
        kind: FailureKind::Other,
        on_stderr: false,
        location: location.into(),
        complaints: String::new(),
        reason: reason.into(),
    }
}

/// Beginning of the reason of a panic. The panic's own message is mostly on stderr already.
pub(super) const PANICKED: &str = "panicked: ";

/// Returns what the end of the test function means.
pub(super) fn judge(options: &Options, end: End, panics: &[Panic]) -> Finish {
    // The last panic counts: panics before it were caught by the test, or they would have ended the
    // function.
    let own = panics.iter().rev().find(|panic| panic.own);
    let location = own.map(|panic| panic.location.clone()).unwrap_or_default();
    let is_printed = own.is_some_and(|panic| panic.is_printed);
    match (end, &options.should_panic) {
        (Err(payload), ShouldPanic::No) => Finish::Failed {
            kind: FailureKind::Panicked,
            on_stderr: is_printed,
            location,
            complaints: String::new(),
            reason: format!("{PANICKED}{}", panic_message(&*payload)),
        },
        (Err(_), ShouldPanic::Yes) => Finish::Passed,
        (Err(payload), ShouldPanic::With(expected)) => {
            expected_panic(&panic_message(&*payload), expected, location)
        }
        (Ok(Err(error)), ShouldPanic::No | ShouldPanic::Yes | ShouldPanic::With(_)) => {
            let location = error
                .location()
                .map(|(file, line, column)| format!("{file}:{line}:{column}"));
            failed(error.message(), location.unwrap_or_default())
        }
        // The function has returned, but a thread or a task may have failed without its notice.
        (Ok(Ok(())), ShouldPanic::No) => {
            match panics.iter().find(|it| !it.own && !it.is_passed_on) {
                Some(panic) if !options.allow_panics => swallowed(panic),
                Some(_) | None => Finish::Passed,
            }
        }
        (Ok(Ok(())), ShouldPanic::Yes | ShouldPanic::With(_)) => {
            failed("test did not panic as expected", "")
        }
    }
}

/// Returns the verdict on a panic that has to say something.
fn expected_panic(message: &str, expected: &str, location: String) -> Finish {
    if message.contains(expected) {
        return Finish::Passed;
    }
    failed(
        format!(
            "panic did not contain expected string\n      panic message: {message:?}\n expected substring: {expected:?}"
        ),
        location,
    )
}

/// Returns the verdict on a panic that nobody has heard of.
fn swallowed(panic: &Panic) -> Finish {
    failed(
        format!(
            "a panic was swallowed: thread '{}' panicked: {}\njoin that thread or task and pass its panic on, or expect it: #[snowglobe::test(allow_panics)]",
            panic.thread, panic.message
        ),
        panic.location.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic(own: bool) -> Panic {
        Panic {
            thread: "t".into(),
            message: "boom".into(),
            location: "a.rs:1:2".into(),
            is_printed: true,
            own,
            is_passed_on: false,
        }
    }

    fn reason(finish: Finish) -> String {
        match finish {
            Finish::Passed => "passed".into(),
            Finish::Failed { reason, .. } => reason,
        }
    }

    #[test]
    fn a_body_that_returns_has_passed() {
        assert_eq!(judge(&Options::NEW, Ok(Ok(())), &[]), Finish::Passed);
    }

    #[test]
    fn a_panic_is_a_failure_where_it_stood() {
        let finish = judge(&Options::NEW, Err(Box::new("boom")), &[panic(true)]);
        let panicked = Finish::Failed {
            kind: FailureKind::Panicked,
            on_stderr: true,
            location: "a.rs:1:2".into(),
            complaints: String::new(),
            reason: "panicked: boom".into(),
        };
        assert_eq!(finish, panicked);
    }

    #[test]
    fn a_panic_elsewhere_is_a_failure_unless_allowed() {
        assert!(reason(judge(&Options::NEW, Ok(Ok(())), &[panic(false)])).contains("swallowed"));
        assert_eq!(
            judge(&Options::NEW.allow_panics(), Ok(Ok(())), &[panic(false)]),
            Finish::Passed
        );
        let passed_on = Panic {
            is_passed_on: true,
            ..panic(false)
        };
        for known in [panic(true), passed_on] {
            assert_eq!(judge(&Options::NEW, Ok(Ok(())), &[known]), Finish::Passed);
        }
    }

    #[test]
    fn an_expected_panic_is_a_pass_with_the_right_text_only() {
        let options = Options::NEW.should_panic_with("boo");
        assert_eq!(judge(&options, Err(Box::new("boom")), &[]), Finish::Passed);
        assert!(reason(judge(&options, Err(Box::new("bang")), &[])).contains("\"bang\""));
        assert!(reason(judge(&options, Ok(Ok(())), &[])).contains("did not panic"));
    }

    #[test]
    fn a_complaint_fails_a_test_that_has_passed_and_stands_beside_a_failure() {
        let complaints = ["nginx died".to_owned()];
        assert_eq!(
            consider(Finish::Passed, &complaints),
            failed("nginx died", "")
        );
        let both = Finish::Failed {
            kind: FailureKind::Other,
            on_stderr: false,
            location: "a.rs:1:2".into(),
            complaints: "nginx died".into(),
            reason: "boom".into(),
        };
        assert_eq!(consider(failed("boom", "a.rs:1:2"), &complaints), both);
        assert_eq!(consider(Finish::Passed, &[]), Finish::Passed);
    }
}
