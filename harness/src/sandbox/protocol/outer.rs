//! How the outer sandbox comes to be: the messages between its maker and its first process.
//!
//! The first process waits for what only its maker may do, and then says whether it is ready.

use std::path::PathBuf;

use super::codec::{
    Codec, Edge, EdgeMessage, MessageReader, MessageWriter, codec_enum, codec_struct,
};
use crate::sandbox::refused::Refused;

/// From the maker of the outer sandbox to the first process in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OuterStep {
    /// Your ids are mapped.
    IdsMapped,
    /// Here are mounts for the first process. A detached tree for each path comes along, in the
    /// same order.
    Mounts(Vec<PathBuf>),
    /// The maker has sent all mounts.
    MountsComplete,
    /// Files and what new network namespaces have written there, where that shows on the host.
    Corrections(Option<Vec<(String, String)>>),
}

codec_enum!(OuterStep {
    1 => IdsMapped,
    2 => Mounts(paths),
    3 => MountsComplete,
    4 => Corrections(writes),
});

impl EdgeMessage for OuterStep {
    const EDGE: Edge = Edge::ToOuterSandbox;
}

/// From a process in new namespaces to its maker: whether its work succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OuterReply(pub(crate) Result<(), Refused>);

impl Codec for OuterReply {
    fn put(&self, to: &mut MessageWriter) {
        self.0.as_ref().err().cloned().put(to);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        let refused = Option::<Refused>::get(from)?;
        Some(Self(refused.map_or(Ok(()), Err)))
    }
}

impl EdgeMessage for OuterReply {
    const EDGE: Edge = Edge::FromOuterSandbox;
    const MOST: usize = Self::LONGEST;
}

impl OuterReply {
    /// Length of the longest reply, in bytes.
    pub(crate) const LONGEST: usize = 1024;
}

/// From the keeper of an outer sandbox to whoever asks for it. A pidfd of the keeper comes along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptFacts {
    /// The ids are not those that were asked for: an ordinary user has one, and root has its own.
    pub(crate) fewer_ids: bool,
    /// Things that could not be had, in a sentence each.
    pub(crate) notes: Vec<String>,
    /// Files and what new network namespaces have written there, where that shows on the host.
    pub(crate) corrections: Option<Vec<(String, String)>>,
    /// Settings of the host that trials cannot change, if there are unusual ones.
    pub(crate) unchangeable_settings: Option<String>,
}

codec_struct!(KeptFacts {
    fewer_ids,
    notes,
    corrections,
    unchangeable_settings,
});

impl EdgeMessage for KeptFacts {
    const EDGE: Edge = Edge::FromKeeper;
}

#[cfg(test)]
mod tests {
    use crate::kernel::errno::Errno;
    use crate::kernel::namespace::CloneFlags;

    use super::super::codec::testing::arrives;
    use super::*;
    use crate::sandbox::refused::{NewProcess, SetupStep};

    #[test]
    fn messages_arrive_as_they_were_sent() {
        arrives(&OuterStep::IdsMapped);
        arrives(&OuterStep::Mounts(vec!["/".into(), "/a b".into()]));
        arrives(&OuterStep::MountsComplete);
        arrives(&OuterStep::Corrections(None));
        let writes = vec![("net/a".into(), "1".into())];
        arrives(&OuterStep::Corrections(Some(writes)));
        arrives(&OuterReply(Ok(())));
        arrives(&KeptFacts {
            fewer_ids: true,
            notes: vec!["one id".into()],
            corrections: Some(vec![("net/a".into(), "1".into())]),
            unchangeable_settings: None,
        });
        let namespaces = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
        let steps = [
            SetupStep::Clone(NewProcess::OuterSandbox, namespaces),
            SetupStep::Clone(NewProcess::Sandbox, namespaces),
            SetupStep::Clone(NewProcess::Node, namespaces),
            SetupStep::Clone(NewProcess::Probe, namespaces),
            SetupStep::mount("/proc"),
            SetupStep::SetSysctl("net/ipv4/ip_forward".into(), "1".into()),
            SetupStep::MakeMountPoint("/data".into()),
            SetupStep::ChangeRoot,
            "map the ids".into(),
        ];
        for step in steps {
            let errno = Errno::EPERM;
            arrives(&OuterReply(Err(Refused { step, errno })));
        }
    }
}
