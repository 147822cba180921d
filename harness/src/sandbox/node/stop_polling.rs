//! How long, and on which processor, the first process polls for the next stop of a program that it
//! traces.

use std::time::{Duration, Instant};

use crate::kernel::thread::processor::PinnedAffinity;

/// Time for which the first process polls for the next stop of a program that it has just told the
/// time.
///
/// A program that asks for the time by system calls often does so again and again. A wake-up for
/// each stop takes longer than the answer itself: a reading took 15 us with these polls, and 26 us
/// without them (medians of five, in turns, at a load of 20 on 2 cores, 2026-11-30). Each poll
/// yields the processor, and after some stops the commands of the lab have their turn.
#[derive(Default)]
pub(super) struct StopPolling {
    answered: u32,
    looks: u32,
    /// Time of the last answer.
    since: Option<Instant>,
    affinity: PinnedAffinity,
}

impl StopPolling {
    /// Polls after one stop, of about half a microsecond each.
    const LOOKS: u32 = 40;

    /// Time after an answer in which the process polls. On a busy processor each yield may last for
    /// the slice of another program: forty of them kept a pause waiting for 160 ms (load of 12 on
    /// 2 cores, 2026-12-01).
    const LONGEST: Duration = Duration::from_micros(200);

    /// Stops after which the process polls no more.
    const MOST: u32 = 200;

    /// Stops after which this process moves to the processor of the program, and looks that
    /// processor up again: a look-up in `/proc` takes as long as two answers.
    const APART: u32 = 8;

    /// Counts a stop of the thread `id` that was answered.
    ///
    /// An idle processor goes to sleep, or runs another program, and a thread waits longer for it
    /// than an answer takes. So this process and the program share one processor: a reading took 37
    /// us, and 83 us on two processors (medians of five, in turns, at a load of 25 on 2 cores,
    /// 2026-11-30; 11 us of each are work).
    pub(super) fn renew(&mut self, id: i32) {
        if self.answered % (Self::MOST / 4) == Self::APART {
            self.affinity.pin_to(id);
        }
        self.answered += 1;
        self.since = Some(Instant::now());
        self.looks = if self.answered < Self::MOST {
            Self::LOOKS
        } else {
            0
        };
    }

    /// Yields the processor, and returns whether to poll once more.
    pub(super) fn looks_again(&mut self) -> bool {
        let is_late = self.since.is_some_and(|it| it.elapsed() > Self::LONGEST);
        if self.looks == 0 || is_late {
            return false;
        }
        self.looks -= 1;
        std::thread::yield_now();
        true
    }
}
