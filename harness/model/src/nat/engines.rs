//! What can carry a NAT: the kernel's own, or ours on the wire of the uplink.

use std::fmt;

use snowglobe_derive::{Deserialize, Serialize};

use super::preset;
use super::spec::{Dependence, NatSpec, PortAssignment, UnknownFlow, Unsolicited};

/// The mechanism that carries a NAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatEngine {
    /// The kernel where its behaviour is the one that is asked for, and the userspace engine
    /// otherwise.
    #[default]
    Auto,
    /// nftables in the router. A behaviour that Linux does not have is refused.
    Nftables,
    /// A NAT of snowglobe on the userspace wire of the uplink.
    Userspace,
}

impl NatEngine {
    pub(super) fn is_auto(&self) -> bool {
        *self == NatEngine::Auto
    }
}

impl fmt::Display for NatEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NatEngine::Auto => "auto",
            NatEngine::Nftables => "nftables",
            NatEngine::Userspace => "userspace",
        })
    }
}

impl NatSpec {
    /// Returns the engine that carries this NAT: never [`NatEngine::Auto`].
    pub fn carried_by(&self) -> NatEngine {
        match self.engine {
            NatEngine::Auto if self.kernel_lacks().is_none() => NatEngine::Nftables,
            NatEngine::Auto => NatEngine::Userspace,
            asked @ (NatEngine::Nftables | NatEngine::Userspace) => asked,
        }
    }

    /// Returns the first behaviour that the kernel's NAT does not have.
    ///
    /// Hairpinning is among them: Linux lets the hosts behind it reach the external ports only that
    /// are forwarded, or that a host has asked for. [`NatEngine::Nftables`], which is asked for by
    /// name, does that.
    pub fn kernel_lacks(&self) -> Option<&'static str> {
        let hairpins = self.hairpinning.is_on();
        self.nftables_lacks().or(hairpins
            .then_some("`hairpinning`: Linux has it for forwarded and requested ports alone"))
    }

    /// Returns the first behaviour that nftables does not have.
    pub(super) fn nftables_lacks(&self) -> Option<&'static str> {
        // Without `..`, so that a new behaviour has to be thought of here. `kernel_lacks` sees to
        // hairpinning, `pooling` matters with a pool alone, and both engines forward ports.
        let Self {
            engine: _,
            mapping,
            filtering,
            tcp_mapping,
            tcp_filtering,
            ports,
            parity,
            port_range,
            pool,
            pooling: _,
            exhausted,
            hairpinning: _,
            timeouts,
            inbound_refresh,
            unknown_flow,
            unsolicited,
            icmp_errors,
            forwards: _,
        } = self;
        let linux = preset::symmetric_port_preserving();
        let dependent = Dependence::AddressAndPortDependent;
        let lacks = [
            (
                *mapping != dependent,
                "`mapping`: Linux maps by remote address and port",
            ),
            (
                *filtering != dependent,
                "`filtering`: Linux filters by remote address and port",
            ),
            (
                tcp_mapping.is_some_and(|it| it != dependent),
                "`tcp_mapping`",
            ),
            (
                tcp_filtering.is_some_and(|it| it != dependent),
                "`tcp_filtering`",
            ),
            (
                !matches!(ports, PortAssignment::Overloading | PortAssignment::Random),
                "`ports`: Linux shares ports or takes random ones",
            ),
            (*parity, "`parity`"),
            (*port_range != linux.port_range, "`port_range`"),
            (!pool.is_empty(), "`pool`"),
            (*exhausted != linux.exhausted, "`exhausted`"),
            (
                *timeouts != linux.timeouts,
                "`timeouts`: those of conntrack differ",
            ),
            (
                !inbound_refresh,
                "`inbound_refresh`: Linux always refreshes",
            ),
            (
                *unknown_flow != UnknownFlow::Adopt,
                "`unknown_flow`: Linux adopts",
            ),
            (*unsolicited != Unsolicited::Drop, "`unsolicited`"),
            (!icmp_errors, "`icmp_errors`: Linux always translates them"),
        ];
        let lack = lacks.into_iter().find(|(lacks, _)| *lacks);
        lack.map(|(_, what)| what)
    }
}
