//! Network address translation, by the behaviours that RFC 4787, 5382, 5508 and 7857 name.
//!
//! Peer-to-peer software finds out what the NATs on its path do, and acts on it. A kernel has one
//! behaviour (Linux: address-and-port-dependent mapping and filtering, with ports kept), and a test
//! needs all of them. So this is a NAT as a pure machine: packets and times go in, packets and
//! verdicts come out. The crate `snowglobe` puts it on the uplink of a router.
//!
//! | file | role |
//! |---|---|
//! | `spec` | the behaviours as one value |
//! | `engines` | what can carry a NAT, and what the kernel cannot do |
//! | `preset` | behaviours of routers as they have been observed |
//! | `text` | a NAT in TOML: the name of a preset, or a table |
//! | `validate` | what a value of a behaviour cannot be |
//! | `engine` | the machine: decides about each packet of either direction |
//! | `lookup` | finds, makes and removes the mapping for a packet |
//! | `change` | other behaviours, ports and addresses at work |
//! | `fetch` | mappings of packets that come in a burst, read side by side |
//! | `icmp` | ICMP errors, with the packet that they quote |
//! | `answer` | packets that the NAT itself sends |
//! | `table/` | mappings, found from either side |
//! | `mapping` | one mapping, and the remote hosts that it has talked to |
//! | `ports` | which ports of an external address are taken |
//! | `allocate` | the choice of an external address and port for a new mapping |
//! | `packet/` | the fields of a packet that a NAT reads and rewrites, with their checksums |
//! | `outcome` | verdicts, their reasons and their counts; mappings as values |

mod allocate;
mod answer;
mod change;
mod engine;
mod engines;
mod fetch;
mod icmp;
mod lookup;
mod mapping;
mod outcome;
mod packet;
mod ports;
pub mod preset;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod validate;

pub use change::RequestedPort;
pub use engine::Nat;
pub use engines::NatEngine;
pub use outcome::{NatCounters, NatDrop, NatMapping, NatOutcome};
pub use packet::{Checksums, NatProtocol};
pub use spec::{
    Dependence, Exhausted, Hairpinning, NatSpec, NatTimeouts, Pooling, PortAssignment, PortForward,
    UnknownFlow, Unsolicited,
};
pub(crate) use text::preset_or_spec;
pub use validate::NatProblem;
