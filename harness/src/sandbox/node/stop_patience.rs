//! How long, and where, the first process looks for the next stop of a program that it traces.

use crate::kernel::thread::processor::ProcessorCompany;

/// Time for which the first process looks for the next stop of a program that it has just answered.
///
/// A program that asks for the time by system calls often does so again and again. To be woken for
/// each takes longer than the answer itself: with these looks a reading took 15 us, without them 26
/// (medians of five, in turns, at a load of 20 on 2 cores, 2026-11-30). No program is kept from its
/// processor meanwhile, and after some stops the commands of the lab have their turn.
#[derive(Default)]
pub(super) struct StopPatience {
    answered: u32,
    looks: u32,
    company: ProcessorCompany,
}

impl StopPatience {
    /// Looks after one stop, of about half a microsecond each.
    const LOOKS: u32 = 40;

    /// Stops after which nothing is looked for any more.
    const MOST: u32 = 200;

    /// Stops after which this process goes to the processor of the program, and after which it
    /// looks again where that is: a look into `/proc` takes as long as two answers.
    const APART: u32 = 8;

    /// Counts a stop of the thread `id` that was answered.
    ///
    /// A processor on which nobody runs meanwhile goes to sleep, or to another program, and to get
    /// it back takes longer than an answer. So the two share one: a reading took 37 us, and 83 us
    /// on two processors (medians of five, in turns, at a load of 25 on 2 cores, 2026-11-30; 11 us
    /// of each are work).
    pub(super) fn renew(&mut self, id: i32) {
        if self.answered % (Self::MOST / 4) == Self::APART {
            self.company.join(id);
        }
        self.answered += 1;
        self.looks = if self.answered < Self::MOST {
            Self::LOOKS
        } else {
            0
        };
    }

    /// Lets others run, and returns whether to look once more.
    pub(super) fn looks_again(&mut self) -> bool {
        if self.looks == 0 {
            return false;
        }
        self.looks -= 1;
        std::thread::yield_now();
        true
    }
}
