//! A name server of a lab, as a test sees it.

use std::sync::Arc;

use crate::events::Journal;
use crate::lab::error::Result;
use crate::lab::services::dns::knowledge::Knowledge;
use crate::lab::services::dns::server;
use crate::lab::services::service::{Service, ServicePlace, ServiceThread};
use crate::model::dns::{DnsQuery, DnsSpec};
use crate::topology::Plan;

/// A name server of a lab: see [`DnsSpec`].
///
/// ```no_run
/// use snowglobe::dns::{DnsFault, DnsSpec, Zone};
/// use snowglobe::prelude::*;
///
/// #[snowglobe::test]
/// fn a_client_survives_a_broken_name_server() -> TestResult {
///     let mut topology = Topology::new();
///     let zone = Zone::new("example.org").record("www A 10.0.0.2");
///     let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone)));
///     let client = topology.node("client");
///     topology.link(names, client);
///     let lab = topology.start()?;
///
///     let look = || ("www.example.org", 80).to_socket_addrs();
///     assert!(lab[client].run(look).is_ok());
///     let broken = lab.dns().inject(DnsFault::servfail())?;
///     assert!(lab[client].run(look).is_err());
///     broken.heal()?;
///     assert!(lab[client].run(look).is_ok());
///     for query in lab.dns().queries() {
///         println!("{query}");
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Dns {
    node: String,
    knowledge: Arc<Knowledge>,
    journal: Arc<Journal>,
}

impl Dns {
    pub(crate) fn new(node: &str, spec: &DnsSpec, plan: &Plan, journal: Arc<Journal>) -> Self {
        Self {
            node: node.to_owned(),
            knowledge: Arc::new(Knowledge::new(spec, plan)),
            journal,
        }
    }

    /// Takes over the names of a changed plan.
    pub(crate) fn refresh(&self, plan: &Plan) {
        self.knowledge.refresh(plan);
    }

    /// Returns the name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn knowledge(&self) -> &Arc<Knowledge> {
        &self.knowledge
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Returns what was asked so far, and what was said, in that order; the last 100,000 questions.
    pub fn queries(&self) -> Vec<DnsQuery> {
        self.knowledge.queries()
    }

    /// Forgets what was asked so far.
    pub fn forget_queries(&self) {
        self.knowledge.forget_queries();
    }
}

impl Service for Dns {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        // The knowledge outlives the thread: what was asked before a restart of the node stays
        // readable.
        server::start(place, Arc::clone(&self.knowledge))
    }
}
