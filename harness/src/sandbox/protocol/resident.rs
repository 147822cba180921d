//! What a start of the program says to a resident, a zygote that stays for the starts of a nextest
//! run, and what the resident answers. An order to a zygote follows on the same channel.

use std::ffi::CString;

use super::codec::{Edge, EdgeMessage, codec_struct};

/// From a start of the program to a resident: what is this start's own. Its stdout and stderr, a
/// pidfd of it, and the user namespace of the resident come along, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResidentRequest {
    /// Name of the trial.
    pub(crate) trial: String,
    /// Number of the start's process.
    pub(crate) supervisor: u32,
    /// Variables of the environment that nextest sets for each start, with their values.
    pub(crate) variables: Vec<(CString, CString)>,
}

codec_struct!(ResidentRequest {
    trial,
    supervisor,
    variables,
});

impl EdgeMessage for ResidentRequest {
    const EDGE: Edge = Edge::ToResident;
}

/// From a start of `snowglobe exec` to a resident for programs: run this program. The program's
/// stdin, stdout and stderr, a pidfd of the start, and the user namespace of the resident come
/// along, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramRequest {
    /// The program and its arguments.
    pub(crate) words: Vec<CString>,
    /// Number of the start's process.
    pub(crate) supervisor: u32,
    /// Process group of the start, which the program is to be in.
    pub(crate) group: i32,
    /// Variables of the environment that nextest sets for each start, with their values.
    pub(crate) variables: Vec<(CString, CString)>,
}

codec_struct!(ProgramRequest {
    words,
    supervisor,
    group,
    variables,
});

impl EdgeMessage for ProgramRequest {
    const EDGE: Edge = Edge::ToProgramResident;
}

/// From a resident to a start that it takes on. A pidfd of the resident comes along. The resident
/// has the same from its maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResidentFacts {
    /// Sentence on the isolation that trials get.
    pub(crate) isolation: String,
    /// Things that could not be had, in a sentence each.
    pub(crate) notes: Vec<String>,
    /// Settings of the host that trials cannot change, if there are unusual ones.
    pub(crate) host: Option<String>,
}

codec_struct!(ResidentFacts {
    isolation,
    notes,
    host,
});

impl EdgeMessage for ResidentFacts {
    const EDGE: Edge = Edge::FromResident;
}

#[cfg(test)]
mod tests {
    use super::super::codec::testing::arrives;
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        arrives(&ResidentRequest {
            trial: "a::b".to_owned(),
            supervisor: u32::MAX,
            variables: vec![(c"NEXTEST_ATTEMPT".into(), c"1".into())],
        });
        arrives(&ProgramRequest {
            words: vec![c"./a".into(), c"--exact".into()],
            supervisor: 1,
            group: i32::MAX,
            variables: Vec::new(),
        });
        arrives(&ResidentFacts {
            isolation: "alone".to_owned(),
            notes: vec!["one id".to_owned()],
            host: Some("a = 1".to_owned()),
        });
    }
}
