//! The events of a lab, each with its time and its sentence.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use snowglobe_text::counted;

use crate::kernel::process::exit_kind::ExitKind;
use crate::model::carrier::Carrier;
use crate::model::direction::Direction;
use crate::model::disk::Loss;
use crate::model::fault::Fault;
use crate::model::rules::Verdict;
use crate::model::topology::Subnet;

/// Something that happened in a lab.
///
/// The sentence of an event begins with the time since the start of the trial:
/// ``+1.204310s link `alice–bob` is carried by netem``.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Place of the event in its lab, from 0.
    pub number: u64,
    /// Time since the start of the trial.
    pub time: Duration,
    /// Kind of the event, with what it is about.
    pub kind: EventKind,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.time.as_secs(), self.time.subsec_micros());
        write!(f, "+{seconds}.{micros:06}s {}", self.kind)
    }
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A link has a new carrier.
    CarrierChanged {
        /// Name of the link.
        link: String,
        /// Carrier before the change; none where the link is new.
        from: Option<Carrier>,
        /// Carrier from now on.
        to: Carrier,
    },
    /// A fault is in force.
    FaultBegan {
        /// Number of the fault in its lab.
        id: FaultId,
        /// The fault, with the names of links and nodes.
        fault: Fault,
    },
    /// A fault was healed, or could not be.
    FaultEnded {
        /// Number of the fault in its lab.
        id: FaultId,
        /// The fault, with the names of links and nodes.
        fault: Fault,
        /// Reason why the heal failed, if it failed.
        error: Option<String>,
    },
    /// A fault of a schedule was left out: its subject was not there when it was due.
    FaultSkipped {
        /// The fault, as the schedule has it.
        fault: Fault,
        /// The reason.
        why: String,
    },
    /// A program was started in a node.
    ProcessStarted {
        /// The program.
        process: Arc<ProcessName>,
    },
    /// A program wrote a line.
    ProcessSaid {
        /// The program.
        process: Arc<ProcessName>,
        /// Stream to which the program wrote.
        stream: Stream,
        /// The line without its end. Bytes that are not UTF-8 are replaced.
        line: String,
    },
    /// A program ended.
    ProcessDied {
        /// The program.
        process: Arc<ProcessName>,
        /// The way in which it ended.
        exit: ExitKind,
    },
    /// A rule decided what becomes of a packet.
    PacketRuled {
        /// Name of the link.
        link: Arc<str>,
        /// Direction in which the packet was sent.
        direction: Direction,
        /// Verdict of the rule.
        verdict: Verdict,
        /// Verdict and match of the rule, as in `drop by rule: tcp, syn-ack, number 1`.
        rule: Arc<str>,
    },
    /// A firewall did not let a packet through.
    FirewallDropped {
        /// Name of the node that has the firewall.
        node: Arc<str>,
        /// Name of the rule.
        rule: Arc<str>,
        /// Number of the transport protocol: 6 is TCP, 17 is UDP.
        protocol: u8,
        /// Sender of the packet; the port is 0 where the protocol has none.
        source: SocketAddr,
        /// Destination of the packet.
        destination: SocketAddr,
    },
    /// The host was too busy for the times that userspace wires promise.
    HostStarved {
        /// Number of packets that were late.
        late: u64,
        /// Number of packets that were delivered.
        deliveries: u64,
        /// Number of links on which packets were late.
        links: u32,
        /// Longest time by which a packet was late.
        worst: Duration,
        /// Name of the link on which that packet was.
        worst_link: String,
    },
    /// The power of a node was cut, and a volume with faults has lost what was not synced.
    DiskLost {
        /// Name of the node.
        node: String,
        /// Name of the volume.
        volume: String,
        /// The writes that are lost.
        loss: Loss,
    },
    /// A partition over several namespaces began or ended within a time, and not at one instant:
    /// the machine was too busy to prepare the change ahead of it.
    PartitionLate {
        /// The time.
        within: Duration,
    },
    /// A node could not have what was asked for in the first way, and has it in another.
    FellBack {
        /// Name of the node.
        node: String,
        /// Sentence of the node's first process that names the way taken, and the reason.
        sentence: String,
    },
    /// The kernel refused what a service of a node asked for: an address, a route or a rule of
    /// DHCP, DHCPv6 or a port mapping. At the end of a lab and without power, interfaces are gone,
    /// and this is harmless.
    ServiceFailed {
        /// Name of the service, and of the node or the interface whose service it is.
        service: String,
        /// The kernel's refusal.
        error: String,
    },
    /// The DHCP client of an interface has got an address, or has lost the one that it had.
    Leased {
        /// Name of the node.
        node: String,
        /// Name of the interface.
        interface: String,
        /// The address; none if it was lost.
        address: Option<Ipv4Addr>,
    },
    /// The DHCPv6 client of an interface has got an address, or has lost the one that it had.
    LeasedV6 {
        /// Name of the node.
        node: String,
        /// Name of the interface.
        interface: String,
        /// The address; none if it was lost.
        address: Option<Ipv6Addr>,
    },
    /// A router has been delegated a prefix, or has lost the one that it had.
    Delegated {
        /// Name of the node.
        node: String,
        /// Name of the interface by which the router has asked.
        interface: String,
        /// The prefix; none if it was lost.
        prefix: Option<Subnet>,
    },
    /// A capture file was completed and kept.
    CaptureKept {
        /// Path of the file.
        path: PathBuf,
        /// Parts that the file lacks, in words; empty if it lacks none.
        gaps: String,
    },
    /// A capture file that should be kept could not be completed.
    CaptureFailed {
        /// The action that failed, and the kernel's refusal.
        error: String,
    },
    /// The test said something by [`snowglobe::note`](crate::note()).
    Note(String),
}

/// Place where an event is shown to people who do not read the journal.
pub(super) enum ShownIn {
    /// The runner shows the event beside the verdict of the trial.
    Verdict,
    /// The event is a line in the output of the trial.
    Output,
    /// Only readers of the journal learn of the event.
    JournalOnly,
}

impl EventKind {
    /// Returns where the event is shown besides the journal.
    pub(super) fn shown_in(&self) -> ShownIn {
        match self {
            Self::HostStarved { .. }
            | Self::FellBack { .. }
            | Self::PartitionLate { .. }
            | Self::CaptureKept { .. }
            | Self::CaptureFailed { .. } => ShownIn::Verdict,
            Self::CarrierChanged { .. } | Self::ServiceFailed { .. } => ShownIn::Output,
            Self::FaultBegan { .. }
            | Self::FaultEnded { .. }
            | Self::FaultSkipped { .. }
            | Self::ProcessStarted { .. }
            | Self::ProcessSaid { .. }
            | Self::ProcessDied { .. }
            | Self::DiskLost { .. }
            | Self::PacketRuled { .. }
            | Self::FirewallDropped { .. }
            | Self::Leased { .. }
            | Self::LeasedV6 { .. }
            | Self::Delegated { .. }
            | Self::Note(_) => ShownIn::JournalOnly,
        }
    }
}

fn leased(
    [node, interface, by]: [&str; 3],
    what: &str,
    leased: Option<impl fmt::Display>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let has = leased.map_or(format!("lost its {what}"), |it| it.to_string());
    write!(f, "node `{node}`: {interface} has {has} by {by}")
}

fn late(within: Duration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "a partition changed within {within:.1?}, and not at one instant: the machine was too busy"
    )
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CarrierChanged { link, from, to } => {
                let since = from.as_ref().map_or("", |_| " from now on");
                write!(f, "link `{link}` is carried by {to}{since}")
            }
            Self::FaultBegan { id, fault } => write!(f, "{id} began: {fault}"),
            Self::FaultEnded { id, fault, error } => match error {
                None => write!(f, "{id} ended: {fault}"),
                Some(error) => write!(f, "{id} could not be healed: {fault}: {error}"),
            },
            Self::FaultSkipped { fault, why } => write!(f, "left out: {fault}: {why}"),
            Self::ProcessStarted { process } => write!(f, "{process} was started"),
            Self::ProcessSaid {
                process,
                stream,
                line,
            } => {
                write!(f, "{process} wrote to {stream}: {line}")
            }
            Self::ProcessDied { process, exit } => write!(f, "{process} {exit}"),
            Self::PacketRuled {
                link,
                direction,
                verdict: _,
                rule,
            } => {
                write!(f, "a packet on link `{link}`, {direction}: {rule}")
            }
            Self::FirewallDropped {
                node,
                rule,
                protocol,
                source,
                destination,
            } => write!(
                f,
                "the firewall of `{node}` did not let a packet through: {} from {source} to \
                 {destination}, by `{rule}`",
                protocol_name(*protocol)
            ),
            Self::HostStarved {
                late,
                deliveries,
                links,
                worst,
                worst_link,
            } => write!(
                f,
                "host starved: {late} of {} were more than 1 ms late, on {}; the worst, on \
                 `{worst_link}`, {worst:.1?}",
                counted(*deliveries, "packet"),
                counted(*links, "link")
            ),
            Self::DiskLost { node, volume, loss } => {
                write!(f, "disk `{volume}` of `{node}` lost {loss}")
            }
            Self::PartitionLate { within } => late(*within, f),
            Self::FellBack { node, sentence } => write!(f, "node `{node}`: {sentence}"),
            Self::ServiceFailed { service, error } => write!(f, "{service}: {error}"),
            Self::Leased {
                node,
                interface,
                address,
            } => leased([node, interface, "DHCP"], "address", *address, f),
            Self::LeasedV6 {
                node,
                interface,
                address,
            } => leased([node, interface, "DHCPv6"], "address", *address, f),
            Self::Delegated {
                node,
                interface,
                prefix,
            } => leased([node, interface, "DHCPv6"], "prefix", *prefix, f),
            Self::CaptureKept { path, gaps } => write!(f, "capture: {}{gaps}", path.display()),
            Self::CaptureFailed { error: text } | Self::Note(text) => f.write_str(text),
        }
    }
}

/// Returns the name of a transport protocol.
fn protocol_name(number: u8) -> String {
    match number {
        1 => "ICMP".into(),
        6 => "TCP".into(),
        17 => "UDP".into(),
        58 => "ICMPv6".into(),
        other => format!("protocol {other}"),
    }
}

/// The number of a fault in its lab, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub(crate) u64);

impl FaultId {
    /// Returns the number: the first fault of a lab has 1.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}", self.0)
    }
}

/// The name of a program that runs, or ran, in a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessName {
    /// Name of the node.
    pub node: String,
    /// Name of the program, as the test gave it.
    pub program: String,
    /// Process id of the program in the trial's PID namespace.
    pub pid: u32,
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, program, pid } = self;
        write!(f, "`{program}` (pid {pid}) on `{node}`")
    }
}

/// One of the two output streams of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}
