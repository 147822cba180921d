//! Faults of a name server, as methods of the name server.

use std::sync::Arc;

use crate::lab::error::{LabError, Result, Subject};
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::faults::inject::refuse_idle;
use crate::lab::services::dns::dns::Dns;
use crate::lab::services::dns::knowledge::Knowledge;
use crate::lab::unfit::UnfitService;
use crate::model::dns::DnsFault;
use crate::model::fault::Fault;

impl Dns {
    /// Makes answers late, wrong or missing from now on, until the guard is dropped.
    ///
    /// Several delays add up. Of other faults that are about the same question, the one that began
    /// last is in force. What an asker has kept of earlier answers stays with it: see
    /// [`DnsSpec::ttl`](crate::dns::DnsSpec::ttl).
    ///
    /// # Errors
    /// The fault has a name or a record that cannot be read, or a delay of zero.
    pub fn inject(&self, fault: DnsFault) -> Result<FaultGuard> {
        let parsed = fault.parse().map_err(|wrong| {
            let fault = fault.clone();
            let reason = UnfitService::InvalidAnswers { fault, wrong };
            LabError::unfit(Subject::Node(self.node().to_owned()), reason)
        })?;
        let fault = Fault::dns(self.node(), fault);
        refuse_idle(&fault)?;
        let knowledge = Arc::clone(self.knowledge());
        let number = knowledge.add_fault(parsed);
        let healing = Box::new(BrokenAnswers { knowledge, number });
        Ok(FaultGuard::begin(self.journal(), fault, healing))
    }
}

/// A fault of a name server, to be taken away.
struct BrokenAnswers {
    knowledge: Arc<Knowledge>,
    number: u64,
}

impl Healing for BrokenAnswers {
    fn heal(self: Box<Self>) -> Result<()> {
        self.knowledge.remove_fault(self.number);
        Ok(())
    }
}
