//! The translation of IPv6 at the uplinks of a router in a running lab.

use super::nat::translators;
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::unfit::UnfitService;
use crate::model::nat::NatEngine;
use crate::model::v6::{PrefixExchanger, V6Nat};
use crate::topology::NodeId;

/// The translation of IPv6 addresses by a router in a running lab.
///
/// ```no_run
/// # use snowglobe::prelude::*;
/// # use snowglobe::topology::{PrefixTranslation, V6Nat};
/// # #[snowglobe::test]
/// # fn t() -> TestResult {
/// let mut topology = Topology::new();
/// let internet = topology.internet();
/// let prefixes = PrefixTranslation::new("fd01:203:405::/48", "2001:db8:1::/48");
/// let site = topology.router(RouterSpec::new("site").nat_v6(V6Nat::Prefix(prefixes)));
/// topology.uplink(site, internet);
/// let lan = LinkSpec::new().subnet("fd01:203:405:1::/64");
/// let desk = topology.node("desk");
/// topology.link_with(desk, site, lan);
/// let lab = topology.start()?;
/// let nat = lab.nat_v6(site)?;
/// println!("{}", nat.engine()); // userspace: nftables has no such translation
/// println!("{:?}", nat.outside(lab[desk].ipv6().unwrap())); // 2001:db8:1:d550::…
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RouterNatV6<'l> {
    lab: &'l Lab,
    router: NodeId,
    spec: &'l V6Nat,
    engine: NatEngine,
}

impl Lab {
    /// Returns the translation of IPv6 at the uplinks of a router.
    ///
    /// # Errors
    /// The node is no router, or leaves IPv6 addresses as they are.
    pub fn nat_v6(&self, router: NodeId) -> Result<RouterNatV6<'_>> {
        // The plan has the settings of every router that does more than forward.
        let netfilter = self.plan().stack(router).own.netfilter.as_ref();
        let settings = netfilter.and_then(|netfilter| netfilter.router.as_ref());
        let spec = settings.map(|settings| &settings.nat_v6);
        match spec.and_then(|spec| Some((spec, spec.carried_by()?))) {
            Some((spec, engine)) => Ok(RouterNatV6 {
                lab: self,
                router,
                spec,
                engine,
            }),
            None => Err(LabError::unfit(
                self[router].subject(),
                UnfitService::NoNatV6,
            )),
        }
    }
}

impl RouterNatV6<'_> {
    /// Returns the translation that was asked for.
    pub fn spec(&self) -> &V6Nat {
        self.spec
    }

    /// Returns what carries the translation: [`NatEngine::Nftables`] or [`NatEngine::Userspace`].
    pub fn engine(&self) -> NatEngine {
        self.engine
    }

    /// Returns the address by which a host behind the router is known in front of it, if the
    /// router exchanges prefixes.
    pub fn outside(&self, inside: std::net::Ipv6Addr) -> Option<std::net::Ipv6Addr> {
        let pair = self.spec.prefixes()?;
        // An address with another prefix leaves as it is.
        let is_own = pair.inside().contains(inside.into());
        is_own.then(|| pair.to_outside(inside))?
    }

    /// Returns the numbers of packets whose prefix was exchanged on their way out, and in. Those
    /// that nftables has translated are in
    /// [`Node::firewall_counters`](crate::lab::Node::firewall_counters).
    pub fn exchanged(&self) -> [u64; 2] {
        let of = |nat: &crate::wire::UplinkNat| {
            nat.with(|nat| nat.v6.as_ref().map(PrefixExchanger::translated))
        };
        // Each uplink has its own, with the same prefixes.
        let uplinks = translators(self.lab, self.router);
        let counts = uplinks.iter().filter_map(|nat| of(nat));
        counts.fold([0; 2], |[a, b], [c, d]| [a + c, b + d])
    }
}
