//! The orders of the supervisor to the nursery and to the zygotes.

use super::codec::{Edge, EdgeMessage, codec_enum, codec_struct};

/// From the supervisor to the nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NurseryOrder {
    /// Fork a zygote for a slot, in the place of the one that is there. The zygote's channel comes
    /// along.
    Spawn {
        /// Number of the slot: of the trials that run at a time.
        slot: u32,
    },
    /// Kill the zygote of a slot, and whatever trial it runs.
    Kill {
        /// Number of the slot.
        slot: u32,
    },
}

codec_enum!(NurseryOrder {
    1 => Spawn { slot },
    2 => Kill { slot },
});

impl EdgeMessage for NurseryOrder {
    const EDGE: Edge = Edge::ToNursery;
}

/// From the supervisor to a zygote: run a trial, whose init takes the channel over until it is
/// gone.
///
/// A pipe for the trial's output comes along, unless the trial before has left its own, or the
/// output is not captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZygoteOrder {
    /// Index of the trial in the list of trials.
    pub(crate) trial: u32,
    /// Seed of the trial.
    pub(crate) seed: u64,
    /// Share of the process numbers that the trial has.
    pub(crate) share: u32,
}

codec_struct!(ZygoteOrder { trial, seed, share });

impl EdgeMessage for ZygoteOrder {
    const EDGE: Edge = Edge::ToZygote;
}

/// Length of a buffer into which any of these orders fits, in bytes.
pub(crate) const LONGEST_ORDER: usize = 18;

#[cfg(test)]
mod tests {
    use super::super::codec::testing::arrives;
    use super::*;

    #[test]
    fn orders_arrive_as_they_were_sent_and_fit_the_buffer() {
        let run = ZygoteOrder {
            share: u32::MAX,
            trial: u32::MAX,
            seed: 0x0123_4567_89ab_cdef,
        };
        arrives(&run);
        arrives(&NurseryOrder::Spawn { slot: 7 });
        arrives(&NurseryOrder::Kill { slot: 3 });
        assert!(run.encode().len() <= LONGEST_ORDER);
    }
}
