//! The messages between the supervisor, the init of a trial and the test body.
//!
//! The body reports to its init, which passes the end on when the body's process is gone: so the
//! supervisor wakes up once a trial, and never takes the word of a process that may yet crash.

use crate::kernel::process::signal::Signal;

use super::codec::{Edge, EdgeMessage, codec_enum, codec_struct, header};
use crate::kernel::message_channel::MESSAGE_MAX;
use crate::kernel::process::exit_kind::ExitKind;
use crate::sandbox::refused::Refused;
use crate::trial::running::Remark;

/// From the supervisor to a trial's init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InitRequest {
    /// Send this signal to every process of the trial.
    Signal(i32),
    /// Say what every process of the trial is doing.
    Describe,
    /// Send this signal to the body, a program, unless the whole process group has got the signal.
    PassOn(i32),
    /// The terminal has sent this signal to the whole process group. The init's own is of no
    /// account.
    Forget(i32),
    /// Say whether the body, a program, is still stopped, by [`TrialReport::Stopped`].
    ConfirmStop,
}

codec_enum!(InitRequest {
    1 => Signal(number),
    2 => Describe,
    3 => PassOn(number),
    4 => Forget(number),
    5 => ConfirmStop,
});

impl EdgeMessage for InitRequest {
    const EDGE: Edge = Edge::ToInit;
}

impl InitRequest {
    /// Length of a buffer into which any request fits, in bytes.
    pub(crate) const LONGEST: usize = 16;
}

/// From the process of a test body to its init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyReport {
    /// The body has come to its end.
    Finished(Finish),
    /// The body has written where it stands to its stderr.
    Traced,
    /// Something that is to be shown beside the verdict.
    Remarked(Remark),
    /// The body is going to ask for nodes. The channel on which it will do so comes along; the init
    /// has to be woken by [`WAKE_INIT`].
    WantsNodes,
    /// A thread of the process has overflowed its stack. The process is about to abort.
    StackOverflowed,
    /// The program that the body has run in a node has come to this end.
    ProgramEnded(ExitKind),
    /// The test has closed the channel. The report comes by memory.
    ChannelClosed,
}

codec_enum!(BodyReport {
    1 => Finished(finish),
    2 => Traced,
    3 => Remarked(remark),
    4 => WantsNodes,
    5 => StackOverflowed,
    6 => ProgramEnded(end),
    7 => ChannelClosed,
});

impl EdgeMessage for BodyReport {
    const EDGE: Edge = Edge::FromBody;
    const MOST: usize = MESSAGE_MAX;
}

impl BodyReport {
    /// [`BodyReport::StackOverflowed`] as bytes, for a signal handler, which must leave the heap
    /// alone.
    pub(crate) const STACK_OVERFLOWED: [u8; 3] = {
        // A test compares it with what the codec makes.
        let [version, edge] = header(Edge::FromBody);
        [version, edge, 5]
    };

    /// [`BodyReport::ChannelClosed`] as bytes, for a signal handler as well.
    pub(crate) const CHANNEL_CLOSED: [u8; 3] = {
        let [version, edge] = header(Edge::FromBody);
        [version, edge, 7]
    };
}

// Sent to the init and not polled for: a channel that is polled for would wake the init once more
// for each trial, and nearly no trial wants nodes.
/// Signal by which the body makes its init read a [`BodyReport::WantsNodes`].
pub(crate) const WAKE_INIT: Signal = Signal::SIGUSR1;

/// From a trial's init to the supervisor; a refusal may come from the trial's zygote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrialReport {
    /// The sandbox could not be made. The last message.
    Refused(Refused),
    /// The body's process is gone. The last message.
    Exited {
        /// The process' end.
        end: ExitKind,
        /// Processes that outlived the body.
        survivors: Vec<Survivor>,
        /// Words of the body about its end, if it said any.
        finish: Option<Finish>,
    },
    /// The body has passed, its process has ended with 0, and the sandbox was empty then: nobody
    /// has any more what the trial was given. The last message of nearly every trial.
    AllWell,
    /// Description of what the processes of the trial do now, as text for people.
    Described(String),
    /// The body has written where it stands to its stderr.
    Traced,
    /// Something that is to be shown beside the verdict.
    Remarked(Remark),
    /// A thread of the body's process has overflowed its stack.
    StackOverflowed,
    /// A process that the body has forked has written to the channel of the body.
    Forked {
        /// Id of the process in the PID namespace of the init.
        pid: i32,
        /// Report of that process, unless it has written something else.
        report: Option<BodyReport>,
    },
    /// A process was refused what the trial does not have, and its errno does not tell what.
    Denied(Denial),
    /// The body, a program, was stopped. The stop may be over when this is read.
    StopSeen,
    /// The body, a program, is stopped by this signal, as the supervisor has asked.
    Stopped(i32),
    /// The program that the body has run in a node has come to this end.
    ProgramEnded(ExitKind),
    /// The body, a program, has come to this end, and the sandbox was empty then: nobody has any
    /// more what the program was given. The last message.
    ProgramGone(ExitKind),
}

codec_enum!(TrialReport {
    1 => Refused(refused),
    // The reason of a failure comes last, so that nothing but the reason is cut where it is too
    // long.
    2 => Exited { end, survivors, finish },
    3 => AllWell,
    4 => Described(text),
    5 => Traced,
    6 => Remarked(remark),
    7 => StackOverflowed,
    8 => Forked { pid, report },
    9 => Denied(denial),
    10 => Stopped(number),
    11 => ProgramEnded(end),
    12 => StopSeen,
    13 => ProgramGone(end),
});

impl EdgeMessage for TrialReport {
    const EDGE: Edge = Edge::FromInit;
    const MOST: usize = MESSAGE_MAX;
}

impl TrialReport {
    /// [`TrialReport::AllWell`] as bytes, for an init that leaves the heap alone.
    pub(crate) const ALL_WELL: [u8; 3] = {
        // A test compares it with what the codec makes.
        let [version, edge] = header(Edge::FromInit);
        [version, edge, 3]
    };
}

codec_enum!(Remark {
    1 => Note(text),
    2 => LastWords(text),
    3 => Death(text),
});

/// The end of a test body, as the body tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The test passed.
    Passed,
    /// The test failed.
    Failed {
        /// Kind of the failure.
        kind: FailureKind,
        /// The process has written the reason to the stderr that it was given.
        on_stderr: bool,
        /// Place of the failure as `file:line:column`, or nothing where it is not known.
        location: String,
        /// Sentences about what had gone wrong behind the test's back, such as a dead daemon, or
        /// nothing. They may be the cause of the failure.
        complaints: String,
        /// Reason, in one or more lines.
        reason: String,
    },
}

codec_enum!(Finish {
    1 => Passed,
    2 => Failed { kind, on_stderr, location, complaints, reason },
});

/// Kind of a test's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The test function panicked.
    Panicked,
    /// Anything else.
    Other,
}

codec_enum!(FailureKind {
    1 => Panicked,
    2 => Other,
});

codec_enum!(ExitKind {
    1 => Code(code),
    2 => Signal { number, dumped_core },
});

/// A process that outlived the test body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survivor {
    /// Id in the trial's PID namespace.
    pub(crate) pid: i32,
    /// Short name that the kernel has for the process, of at most 15 bytes.
    pub(crate) name: String,
}

codec_struct!(Survivor { pid, name });

impl Survivor {
    /// Number of survivors that a report names at most.
    pub(crate) const MOST: usize = 500;
}

/// A call that the kernel refused to a process of the trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    /// Id of the process in the PID namespace of the init.
    pub(crate) pid: i32,
    /// Short name of the process.
    pub(crate) program: String,
    /// Thing that the process asked for.
    pub(crate) wanted: DeniedThing,
}

codec_struct!(Denial {
    pid,
    program,
    wanted
});

/// Something that a trial may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeniedThing {
    /// A user namespace.
    UserNamespace,
    /// To be the user of this id.
    User(u32),
    /// To be a member of the group of this id.
    Group(u32),
    /// Another list of groups.
    Groups,
    /// To give a file to the user of this id.
    Owner(u32),
    /// To give a file to the group of this id.
    OwnerGroup(u32),
}

codec_enum!(DeniedThing {
    1 => UserNamespace,
    2 => User(uid),
    3 => Group(gid),
    4 => Groups,
    5 => Owner(uid),
    6 => OwnerGroup(gid),
});

#[cfg(test)]
mod tests {
    use crate::kernel::errno::Errno;

    use super::super::codec::testing::arrives;
    use super::*;
    use crate::sandbox::refused::SetupStep;

    fn failed(reason: impl Into<String>) -> Finish {
        Finish::Failed {
            kind: FailureKind::Other,
            on_stderr: true,
            location: "f.rs:1:2".into(),
            complaints: String::new(),
            reason: reason.into(),
        }
    }

    fn survivor(pid: i32, name: &str) -> Survivor {
        let name = name.to_owned();
        Survivor { pid, name }
    }

    fn denied(wanted: DeniedThing) -> TrialReport {
        let program = "nginx".to_owned();
        TrialReport::Denied(Denial {
            pid: 7,
            program,
            wanted,
        })
    }

    #[test]
    fn requests_arrive_as_they_were_sent_and_fit_the_buffer() {
        for request in [
            InitRequest::Signal(15),
            InitRequest::Describe,
            InitRequest::PassOn(20),
            InitRequest::Forget(2),
            InitRequest::ConfirmStop,
        ] {
            arrives(&request);
            assert!(request.encode().len() <= InitRequest::LONGEST);
        }
    }

    #[test]
    fn reports_of_a_body_arrive_as_they_were_sent() {
        let panicked = Finish::Failed {
            kind: FailureKind::Panicked,
            on_stderr: true,
            location: String::new(),
            complaints: "nginx died".into(),
            reason: "panicked: boom".into(),
        };
        for report in [
            BodyReport::Finished(Finish::Passed),
            BodyReport::Finished(failed("a\nb")),
            BodyReport::Finished(panicked),
            BodyReport::Traced,
            BodyReport::Remarked(Remark::Note("the host was busy".into())),
            BodyReport::Remarked(Remark::LastWords("see the log".into())),
            BodyReport::WantsNodes,
            BodyReport::StackOverflowed,
            BodyReport::ChannelClosed,
            BodyReport::ProgramEnded(ExitKind::Code(3)),
        ] {
            arrives(&report);
        }
    }

    #[test]
    fn reports_of_a_trial_arrive_as_they_were_sent() {
        for report in [
            TrialReport::Refused(Refused {
                step: SetupStep::mount("/proc"),
                errno: Errno::EPERM,
            }),
            TrialReport::Exited {
                end: ExitKind::Code(-1),
                survivors: vec![],
                finish: None,
            },
            TrialReport::Exited {
                end: ExitKind::killed_by(Signal::SIGKILL),
                survivors: vec![survivor(4, "nginx"), survivor(5, "")],
                finish: Some(failed("a")),
            },
            TrialReport::AllWell,
            TrialReport::Described("pid 2".into()),
            TrialReport::Traced,
            TrialReport::StackOverflowed,
            TrialReport::Remarked(Remark::Note("busy".into())),
            TrialReport::Forked {
                pid: 3,
                report: Some(BodyReport::Finished(failed("a"))),
            },
            TrialReport::Forked {
                pid: 4,
                report: None,
            },
            denied(DeniedThing::UserNamespace),
            denied(DeniedThing::User(33)),
            denied(DeniedThing::Group(34)),
            denied(DeniedThing::Groups),
            denied(DeniedThing::Owner(33)),
            denied(DeniedThing::OwnerGroup(34)),
            TrialReport::Stopped(19),
            TrialReport::StopSeen,
            TrialReport::ProgramEnded(ExitKind::Code(3)),
        ] {
            arrives(&report);
        }
    }

    #[test]
    fn the_usual_end_of_a_trial_is_written_without_the_heap() {
        assert_eq!(TrialReport::AllWell.encode(), TrialReport::ALL_WELL);
    }

    #[test]
    fn a_signal_handler_writes_what_the_codec_makes() {
        let report = BodyReport::StackOverflowed.encode();
        assert_eq!(report, BodyReport::STACK_OVERFLOWED);
        let report = BodyReport::ChannelClosed.encode();
        assert_eq!(report, BodyReport::CHANNEL_CLOSED);
    }

    #[test]
    fn the_longest_end_of_a_trial_fits_a_message() {
        let told = BodyReport::Finished(failed("é".repeat(MESSAGE_MAX))).encode();
        let Some(BodyReport::Finished(finish)) = BodyReport::decode(&told) else {
            panic!("unreadable");
        };
        let exited = TrialReport::Exited {
            end: ExitKind::Code(1),
            survivors: vec![survivor(i32::MAX, "a name of fifteen"); Survivor::MOST],
            finish: Some(finish),
        };
        let bytes = exited.encode();
        assert!(bytes.len() <= MESSAGE_MAX);
        let Some(TrialReport::Exited {
            survivors,
            finish: Some(Finish::Failed { reason, .. }),
            ..
        }) = TrialReport::decode(&bytes)
        else {
            panic!("unreadable");
        };
        assert_eq!(survivors.len(), Survivor::MOST);
        assert!(reason.ends_with("é…"));
    }
}
