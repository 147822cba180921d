//! What the thread of a name server and those who change its answers share.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::events::since_start;
use crate::kernel::sync::{Lock, SharedLock};
use crate::model::dns::catalog::Catalog;
use crate::model::dns::fault::ParsedFault;
use crate::model::dns::lab_names::LabNames;
use crate::model::dns::message::{Question, Reply};
use crate::model::dns::{DnsQuery, DnsSpec};
use crate::topology::Plan;

/// Number of questions that are kept. A test that asks more reads them in time.
const KEPT: usize = 100_000;

/// Names that a name server knows, faults in force, and questions that it was asked.
#[derive(Debug)]
pub(crate) struct Knowledge {
    catalog: SharedLock<Catalog>,
    faults: SharedLock<Vec<(u64, ParsedFault)>>,
    queries: Lock<VecDeque<DnsQuery>>,
}

impl Knowledge {
    pub(crate) fn new(spec: &DnsSpec, plan: &Plan) -> Self {
        Self {
            catalog: SharedLock::new(Catalog::new(spec, &plan.domain, LabNames::of(plan))),
            faults: SharedLock::default(),
            queries: Lock::default(),
        }
    }

    /// Takes over the names of a changed plan.
    pub(crate) fn refresh(&self, plan: &Plan) {
        let names = LabNames::of(plan);
        self.catalog.write().set_lab(names);
    }

    /// Puts a fault in force, and returns the number by which it is taken away.
    pub(crate) fn add_fault(&self, fault: ParsedFault) -> u64 {
        let mut faults = self.faults.write();
        let number = faults.last().map_or(0, |(number, _)| number + 1);
        faults.push((number, fault));
        number
    }

    /// Takes a fault away.
    pub(crate) fn remove_fault(&self, number: u64) {
        self.faults.write().retain(|(own, _)| *own != number);
    }

    /// Returns the questions that are kept.
    pub(crate) fn queries(&self) -> Vec<DnsQuery> {
        self.queries.lock().iter().cloned().collect()
    }

    /// Forgets the questions that are kept.
    pub(crate) fn forget_queries(&self) {
        self.queries.lock().clear();
    }

    /// Answers a question, and keeps both.
    pub(crate) fn reply(&self, question: &Question, from: SocketAddr, tcp: bool) -> Reply {
        // A socket for both families has IPv4 addresses as mapped ones (RFC 4291, section 2.5.5.2).
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let faults = self.faults.read();
        let in_force = faults.iter().map(|(_, fault)| fault);
        let reply = question.reply(&self.catalog.read(), in_force, from.ip(), tcp);
        drop(faults);
        let mut queries = self.queries.lock();
        if queries.len() == KEPT {
            queries.pop_front();
        }
        queries.push_back(DnsQuery {
            time: since_start(),
            from,
            tcp,
            name: question.name.as_str().to_owned(),
            kind: question.kind,
            outcome: reply.outcome,
        });
        reply
    }
}
