//! The NAT64 of a router in a running lab: its hosts, and what it has translated.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::services::translation::translation::Translation;
use crate::lab::unfit::UnfitService;
use crate::model::v6::{EmbeddingPrefix, Nat64Spec, TranslationCounters};
use crate::topology::NodeId;

/// The NAT64 of a router in a running lab.
///
/// Ports, filters and timeouts are those of the router's NAT of IPv4: see
/// [`Lab::nat`](crate::lab::Lab::nat), in whose mappings a host is an address of the pool.
///
/// ```no_run
/// # use snowglobe::prelude::*;
/// # use snowglobe::topology::situation;
/// # #[snowglobe::test]
/// # fn t() -> TestResult {
/// let here = situation::v6_only_phone();
/// let lab = here.topology.start()?;
/// let nat64 = lab.nat64(here.router.unwrap())?;
/// let server = nat64.embed(lab[here.server].ipv4().unwrap()); // 64:ff9b::…
/// lab[here.a].run(|| TcpStream::connect((server, 80)))?;
/// for (phone, stands_for_it) in nat64.hosts() {
///     println!("{phone} is {stands_for_it} within the router");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RouterNat64<'l> {
    spec: &'l Nat64Spec,
    prefix: EmbeddingPrefix,
    translation: &'l Translation,
}

impl Lab {
    /// Returns the NAT64 of a router.
    ///
    /// # Errors
    /// The node has none.
    pub fn nat64(&self, router: NodeId) -> Result<RouterNat64<'_>> {
        let plan = &self.plan().nodes[router.index()];
        let spec = plan.nat64.as_ref();
        let prefix = spec.and_then(|spec| Some((spec, spec.parsed_prefix().ok()?)));
        match (prefix, self[router].nat64_translation()) {
            (Some((spec, prefix)), Some(translation)) => Ok(RouterNat64 {
                spec,
                prefix,
                translation,
            }),
            (None, _) | (_, None) => Err(LabError::unfit(
                self[router].subject(),
                UnfitService::NoNat64,
            )),
        }
    }
}

impl RouterNat64<'_> {
    /// Returns what was asked for.
    pub fn spec(&self) -> &Nat64Spec {
        self.spec
    }

    /// Returns the address by which hosts of IPv6 reach a host of IPv4.
    pub fn embed(&self, v4: Ipv4Addr) -> Ipv6Addr {
        self.prefix.embed(v4)
    }

    /// Returns the hosts of IPv6 that have sent packets so far, each with the address of the pool
    /// that stands for it.
    pub fn hosts(&self) -> Vec<(Ipv6Addr, Ipv4Addr)> {
        self.translation.with(|it| it.hosts())
    }

    /// Returns what was translated and what was dropped.
    pub fn counters(&self) -> TranslationCounters {
        self.translation.with(|it| it.counters().clone())
    }
}
