//! Errors of requests about a link, which name the link.

use crate::kernel::errno::Errno;
use crate::kernel::netlink::NetlinkError;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::LabError;
use crate::lab::link::ends::LinkEnds;
use crate::model::side::Side;

impl LinkEnds {
    /// Makes the error that the namespace of an end could not be entered.
    pub(crate) fn not_entered(&self, side: Side, errno: Errno) -> LabError {
        let whose = self.whose(side);
        // The end may be a port of a switch, which is no node: the subject is the link.
        LabError::refused(NetworkAttempt::Enter { whose }, errno).about(self.subject())
    }

    /// Makes the error for a request that was refused in the namespace of an end.
    pub(crate) fn refused(&self, side: Side, error: NetlinkError) -> LabError {
        LabError::network(self.whose(side), error).about(self.subject())
    }

    /// Makes the error for a request about the link that was refused.
    pub(crate) fn link_refused(&self, error: NetlinkError) -> LabError {
        LabError::network(self.subject().to_string(), error).about(self.subject())
    }
}
