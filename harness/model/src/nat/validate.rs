//! Checks that a NAT can have the behaviours of a value.

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::engines::NatEngine;
use super::packet::NatProtocol;
use super::spec::{Dependence, NatSpec, NatTimeouts, PortAssignment};

/// A reason why no NAT can have these behaviours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatProblem {
    /// nftables cannot do what is asked.
    Engine(&'static str),
    /// The range of ports is empty, or begins at 0.
    PortRange([u16; 2]),
    /// Blocks of this size do not fit into the range of ports, or are no power of two.
    BlockSize(u16),
    /// An address inside can have no block at all.
    NoBlocks,
    /// Shared ports need filters that tell mappings apart.
    SharedPorts(NatProtocol),
    /// A timeout is zero.
    Timeout(&'static str),
    /// A forwarded port leads to no port, or is none.
    Forward(u16),
    /// A port is forwarded twice.
    ForwardTwice(NatProtocol, u16),
    /// A port and address inside has two forwarded ports.
    TargetTwice(NatProtocol, SocketAddrV4),
    /// ICMP has no ports that could be forwarded.
    ForwardIcmp,
    /// An address of the pool is no unicast address, or is there twice.
    Pool(Ipv4Addr),
}

impl fmt::Display for NatProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NatProblem::Engine(lack) => write!(
                f,
                "nftables cannot carry this NAT, because of {lack}; take `NatEngine::Userspace` or `NatEngine::Auto`"
            ),
            NatProblem::PortRange([first, last]) => write!(
                f,
                "the port range {first} to {last} holds no port: give a first port from 1 on and a last port that is not below it"
            ),
            NatProblem::BlockSize(size) => write!(
                f,
                "port blocks of {size} ports: take a power of two of which one block at least fits into the port range"
            ),
            NatProblem::NoBlocks => f.write_str(
                "`per_subscriber` is 0, so that no address inside would have a port: take 1 or more",
            ),
            NatProblem::SharedPorts(protocol) => write!(
                f,
                "ports are shared (`overloading`), but the filtering of {protocol:?} depends on less than the mapping, so that packets from outside could not be told apart: take the same dependence for both, or another port assignment"
            ),
            NatProblem::Timeout(name) => {
                write!(f, "the timeout `{name}` is zero: take a nanosecond or more")
            }
            NatProblem::Forward(port) => {
                write!(f, "the forwarded port {port} or its target is port 0")
            }
            NatProblem::ForwardTwice(protocol, port) => {
                let protocol = upper(*protocol);
                write!(f, "port {port} of {protocol} is forwarded twice: leave one out")
            }
            NatProblem::TargetTwice(protocol, to) => write!(
                f,
                "two ports of {} are forwarded to {to}, so that its answers could leave by either",
                upper(*protocol)
            ),
            NatProblem::ForwardIcmp => {
                f.write_str("ICMP has no ports to forward: take `udp` or `tcp`")
            }
            NatProblem::Pool(address) => write!(
                f,
                "the pool names {address}, which is no unicast address or is there twice"
            ),
        }
    }
}

impl std::error::Error for NatProblem {}

/// Returns the name of a protocol as sentences have it.
fn upper(protocol: NatProtocol) -> &'static str {
    match protocol {
        NatProtocol::Udp => "UDP",
        NatProtocol::Tcp => "TCP",
        NatProtocol::Icmp => "ICMP",
    }
}

impl NatSpec {
    /// Checks that a NAT can have these behaviours.
    ///
    /// # Errors
    /// The first value that is not possible.
    pub fn validate(&self) -> Result<(), NatProblem> {
        // Without `..`, so that the compiler names this place for a new behaviour.
        let NatSpec {
            engine,
            pool,
            timeouts:
                NatTimeouts {
                    udp,
                    tcp_transitory,
                    tcp_established,
                    icmp,
                },
            // `validate_ports` checks these, as far as they depend on each other.
            mapping: _,
            filtering: _,
            tcp_mapping: _,
            tcp_filtering: _,
            ports: _,
            port_range: _,
            // `validate_forwards` checks these.
            forwards: _,
            // Any value of these is possible.
            parity: _,
            pooling: _,
            exhausted: _,
            hairpinning: _,
            inbound_refresh: _,
            unknown_flow: _,
            unsolicited: _,
            icmp_errors: _,
        } = self;
        if let (NatEngine::Nftables, Some(lack)) = (*engine, self.nftables_lacks()) {
            return Err(NatProblem::Engine(lack));
        }
        self.validate_ports()?;
        for (name, time) in [
            ("udp", udp),
            ("tcp_transitory", tcp_transitory),
            ("tcp_established", tcp_established),
            ("icmp", icmp),
        ] {
            if time.is_zero() {
                return Err(NatProblem::Timeout(name));
            }
        }
        for (at, address) in pool.iter().enumerate() {
            let no_host =
                address.is_unspecified() || address.is_multicast() || address.is_broadcast();
            if no_host || pool[..at].contains(address) {
                return Err(NatProblem::Pool(*address));
            }
        }
        self.validate_forwards()
    }

    fn validate_ports(&self) -> Result<(), NatProblem> {
        let [first, last] = self.port_range;
        if first == 0 || last < first {
            return Err(NatProblem::PortRange(self.port_range));
        }
        match self.ports {
            PortAssignment::Blocks {
                size,
                per_subscriber,
            } => {
                let size_or_one = u32::from(size.max(1));
                let begin = u32::from(first).div_ceil(size_or_one) * size_or_one;
                if !size.is_power_of_two() || begin + size_or_one - 1 > u32::from(last) {
                    return Err(NatProblem::BlockSize(size));
                }
                if per_subscriber == 0 {
                    return Err(NatProblem::NoBlocks);
                }
            }
            PortAssignment::Overloading => {
                for protocol in [NatProtocol::Udp, NatProtocol::Tcp] {
                    let mapping = self.mapping_of(protocol);
                    // Endpoint-independent mappings share nothing.
                    if mapping != Dependence::EndpointIndependent
                        && self.filtering_of(protocol) < mapping
                    {
                        return Err(NatProblem::SharedPorts(protocol));
                    }
                }
            }
            PortAssignment::Preserving | PortAssignment::Sequential | PortAssignment::Random => {}
        }
        Ok(())
    }

    fn validate_forwards(&self) -> Result<(), NatProblem> {
        let (mut ports, mut targets) = (HashSet::new(), HashSet::new());
        for forward in &self.forwards {
            let protocol = forward.protocol;
            if protocol == NatProtocol::Icmp {
                return Err(NatProblem::ForwardIcmp);
            }
            if forward.port == 0 || forward.to.port() == 0 {
                return Err(NatProblem::Forward(forward.port));
            }
            if !ports.insert((protocol, forward.port)) {
                return Err(NatProblem::ForwardTwice(protocol, forward.port));
            }
            if !targets.insert((protocol, forward.to)) {
                return Err(NatProblem::TargetTwice(protocol, forward.to));
            }
        }
        Ok(())
    }
}
