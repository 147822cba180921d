//! What the supervisor, the zygotes, the inits and the test bodies say to each other.
//!
//! Messages are a tag byte and fields; texts go last, or are separated by a zero byte. Every
//! message fits one datagram: long texts are cut.

use crate::kernel::message_channel::MESSAGE_MAX;

/// From the supervisor to a zygote, or to the nursery that they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// To a zygote: run a trial, whose init takes over the channel until it is gone. The pipe for its output comes along,
    /// unless it is the one before's, or that is to go straight through.
    Run {
        /// Index in the list of trials.
        trial: u32,
        /// The trial's seed.
        seed: u64,
    },
    /// To the nursery: a zygote for a slot, in the place of the one that is there. Its channel comes along.
    Hatch {
        /// Which of the places of this run.
        slot: u32,
    },
    /// To the nursery: kill a slot's zygote, and whatever trial it runs.
    Kill {
        /// Which.
        slot: u32,
    },
}

impl Order {
    pub(crate) const LEN: usize = 13;

    pub(crate) fn encode(self) -> [u8; Order::LEN] {
        let (tag, number, seed) = match self {
            Order::Run { trial, seed } => (b'R', trial, seed),
            Order::Hatch { slot } => (b'H', slot, 0),
            Order::Kill { slot } => (b'K', slot, 0),
        };
        let mut bytes = [tag; Order::LEN];
        bytes[1..5].copy_from_slice(&number.to_le_bytes());
        bytes[5..].copy_from_slice(&seed.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Order> {
        let bytes: &[u8; Order::LEN] = bytes.try_into().ok()?;
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let number = word(1);
        match bytes[0] {
            b'R' => Some(Order::Run {
                trial: number,
                seed: u64::from(word(5)) | u64::from(word(9)) << 32,
            }),
            b'H' => Some(Order::Hatch { slot: number }),
            b'K' => Some(Order::Kill { slot: number }),
            _ => None,
        }
    }
}

/// From the supervisor to a trial's init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Send this signal to every process of the trial.
    Signal(i32),
    /// Say what every process is doing.
    Describe,
}

impl Request {
    pub(crate) fn encode(self) -> [u8; 2] {
        match self {
            Request::Signal(number) => [b'S', number as u8],
            Request::Describe => [b'D', 0],
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Request> {
        match *bytes {
            [b'S', number] => Some(Request::Signal(i32::from(number))),
            [b'D', _] => Some(Request::Describe),
            _ => None,
        }
    }
}

/// From a trial to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// The sandbox could not be made (from the zygote or the init).
    Refused {
        /// What was tried.
        step: String,
        /// The kernel's answer.
        errno: i32,
    },
    /// The body has come to its end (from the body's process to the init).
    Finished(Finish),
    /// The body's process is gone (from the init). The last message.
    Exited {
        /// How the body says that it has come to its end, if it did.
        finish: Option<Finish>,
        /// How the process ended.
        end: End,
        /// Processes that outlived it.
        survivors: Vec<Survivor>,
    },
    /// The same, where the body has passed, its process has ended with 0, and the sandbox was empty then (from the init): so nobody has
    /// any more what the trial was given. The last message of nearly every trial.
    AllWell,
    /// What the processes are doing (from the init).
    Described(String),
    /// The body has written where it stands to its stderr (from the body's process).
    Traced,
    /// To be shown beside the verdict (from the body's process).
    Note(String),
    /// To be shown there only if the body does not come to its end (from the body's process).
    LastWords(String),
    /// Nodes are going to be wanted; the channel for that comes along (from the body's process to
    /// the init, which must be woken).
    Orders,
}

/// How a test body came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    /// As it should.
    Passed,
    /// Not so: the reason, and `file:line:column` where known (or nothing).
    Failed {
        /// One or more lines.
        reason: String,
        /// Where.
        location: String,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A process that outlived the test body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survivor {
    /// In the trial's PID namespace.
    pub(crate) pid: i32,
    /// The kernel's short name.
    pub(crate) name: String,
}

impl Report {
    /// [`Report::AllWell`] as [`Report::encode`] makes it.
    pub(crate) const ALL_WELL: [u8; 1] = *b"W";

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        match self {
            Report::Refused { step, errno } => {
                bytes.push(b'!');
                bytes.extend(errno.to_le_bytes());
                text(&mut bytes, step);
            }
            Report::Finished(Finish::Passed) => bytes.push(b'P'),
            Report::Finished(Finish::Failed { reason, location }) => {
                bytes.push(b'F');
                text(&mut bytes, location);
                bytes.push(0);
                text(&mut bytes, reason);
            }
            Report::Exited {
                finish,
                end,
                survivors,
            } => {
                let (tag, number) = match *end {
                    End::Code(code) => (b'X', code),
                    End::Signal(signal) => (b'K', signal),
                };
                bytes.push(tag);
                bytes.extend(number.to_le_bytes());
                for survivor in survivors.iter().take(500) {
                    bytes.extend(survivor.pid.to_le_bytes());
                    text(&mut bytes, &survivor.name);
                    bytes.push(0);
                }
                bytes.extend(0i32.to_le_bytes());
                if let Some(finish) = finish {
                    let finish = Report::Finished(finish.clone()).encode();
                    let room = MESSAGE_MAX - bytes.len();
                    // A text at the end of a message may be cut without harm.
                    bytes.extend_from_slice(&finish[..finish.len().min(room)]);
                }
            }
            Report::AllWell => bytes.extend(Report::ALL_WELL),
            Report::Described(description) => {
                bytes.push(b'D');
                text(&mut bytes, description);
            }
            Report::Traced => bytes.push(b'T'),
            Report::Note(note) => {
                bytes.push(b'N');
                text(&mut bytes, note);
            }
            Report::LastWords(note) => {
                bytes.push(b'L');
                text(&mut bytes, note);
            }
            Report::Orders => bytes.push(b'O'),
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Report> {
        let (tag, rest) = bytes.split_first()?;
        let number = || Some(i32::from_le_bytes(rest.get(..4)?.try_into().ok()?));
        let utf8 = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match tag {
            b'!' => Report::Refused {
                errno: number()?,
                step: utf8(&rest[4..]),
            },
            b'P' => Report::Finished(Finish::Passed),
            b'F' => {
                let middle = rest.iter().position(|b| *b == 0)?;
                Report::Finished(Finish::Failed {
                    location: utf8(&rest[..middle]),
                    reason: utf8(&rest[middle + 1..]),
                })
            }
            b'X' | b'K' => {
                let end = match tag {
                    b'X' => End::Code(number()?),
                    _ => End::Signal(number()?),
                };
                let (survivors, rest) = survivors(&rest[4..])?;
                let finish = match Report::decode(rest) {
                    Some(Report::Finished(finish)) => Some(finish),
                    _ => None,
                };
                Report::Exited {
                    finish,
                    end,
                    survivors,
                }
            }
            b'W' => Report::AllWell,
            b'D' => Report::Described(utf8(rest)),
            b'T' => Report::Traced,
            b'N' => Report::Note(utf8(rest)),
            b'L' => Report::LastWords(utf8(rest)),
            b'O' => Report::Orders,
            _ => return None,
        })
    }
}

/// Until the pid that nobody has; and what comes after it.
fn survivors(mut bytes: &[u8]) -> Option<(Vec<Survivor>, &[u8])> {
    let mut all = Vec::new();
    loop {
        let (pid, rest) = bytes.split_at_checked(4)?;
        let pid = i32::from_le_bytes(pid.try_into().ok()?);
        if pid == 0 {
            return Some((all, rest));
        }
        let end = rest.iter().position(|b| *b == 0)?;
        all.push(Survivor {
            pid,
            name: String::from_utf8_lossy(&rest[..end]).into_owned(),
        });
        bytes = &rest[end + 1..];
    }
}

/// Appends a text, cut so that the whole still fits a message, at a character's boundary.
fn text(bytes: &mut Vec<u8>, text: &str) {
    let room = (MESSAGE_MAX - 64).saturating_sub(bytes.len());
    let cut = text.floor_char_boundary(room.min(text.len()));
    bytes.extend_from_slice(text[..cut].replace('\0', "\u{fffd}").as_bytes());
    if cut < text.len() {
        bytes.extend_from_slice("…".as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_requests_survive_the_way() {
        for order in [
            Order::Run {
                trial: u32::MAX,
                seed: 0x0123_4567_89ab_cdef,
            },
            Order::Hatch { slot: 7 },
            Order::Kill { slot: 3 },
        ] {
            assert_eq!(Order::decode(&order.encode()), Some(order));
        }
        for request in [Request::Signal(15), Request::Describe] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        assert_eq!(Order::decode(b"junk"), None);
    }

    #[test]
    fn reports_survive_the_way() {
        let survivor = |pid, name: &str| Survivor {
            pid,
            name: name.to_owned(),
        };
        for report in [
            Report::Refused {
                step: "mount /proc".into(),
                errno: 1,
            },
            Report::Finished(Finish::Passed),
            Report::Finished(Finish::Failed {
                reason: "a\nb".into(),
                location: "f.rs:1:2".into(),
            }),
            Report::Exited {
                finish: None,
                end: End::Code(-1),
                survivors: vec![],
            },
            Report::Exited {
                finish: Some(Finish::Failed {
                    reason: "a".into(),
                    location: "b".into(),
                }),
                end: End::Signal(9),
                survivors: vec![survivor(4, "nginx"), survivor(5, "")],
            },
            Report::AllWell,
            Report::Described("pid 2".into()),
            Report::Traced,
            Report::Note("the host was busy".into()),
            Report::LastWords("see the log".into()),
            Report::Orders,
        ] {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
        assert_eq!(Report::decode(b""), None);
        assert_eq!(Report::decode(b"K1"), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        let reason = "é".repeat(MESSAGE_MAX);
        let report = Report::Finished(Finish::Failed {
            reason,
            location: String::new(),
        });
        let bytes = report.encode();
        assert!(bytes.len() <= MESSAGE_MAX);
        let Some(Report::Finished(Finish::Failed { reason, .. })) = Report::decode(&bytes) else {
            panic!("undecodable");
        };
        assert!(reason.ends_with("é…"));
    }
}
