//! A number for the flow to which a frame belongs.
//!
//! Chance has to treat a flow alike in each run. Addresses, protocol and ports tell flows apart.
//! Ports that a kernel chose by itself are left out, since they differ from run to run.

use super::ethernet::{EthernetHeader, word};
use super::ip::{Fragment, IpHeader, IpVersion, TCP, UDP};
use crate::random::{GOLDEN, mix};

/// Least port that Linux gives to clients (`net.ipv4.ip_local_port_range`, ip(7)).
const EPHEMERAL: u16 = 32_768;

/// Returns a number for the flow to which a frame belongs.
///
/// A frame that is cut short or strange belongs to the flow of its ethertype.
pub fn flow_key(frame: &[u8]) -> u64 {
    let Some(ethernet) = EthernetHeader::read(frame) else {
        return mix(GOLDEN);
    };
    match IpHeader::read(frame, &ethernet) {
        Some(ip) => ip_flow_key(frame, &ip),
        None => mix(GOLDEN ^ u64::from(ethernet.ethertype)),
    }
}

fn ip_flow_key(frame: &[u8], ip: &IpHeader) -> u64 {
    let ports = match ip.fragment {
        Fragment::Whole | Fragment::First => ports(ip.protocol, &frame[ip.payload_at..]),
        Fragment::Later => 0,
    };
    let (words, _) = ip.address_bytes(frame).as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_be_bytes(*word));
    let addresses = words.fold(GOLDEN, |key, word| mix(key ^ word));
    let version = match ip.version {
        IpVersion::V4 => 0x0400,
        IpVersion::V6 => 0x0600,
    };
    mix(addresses ^ (u64::from(ports) << 16 | version | u64::from(ip.protocol)))
}

/// Returns both ports, of protocols that have some; a port that a kernel may have chosen counts as
/// 0.
fn ports(protocol: u8, transport: &[u8]) -> u32 {
    const DCCP: u8 = 33;
    const SCTP: u8 = 132;
    const UDP_LITE: u8 = 136;
    if !matches!(protocol, TCP | UDP | DCCP | SCTP | UDP_LITE) {
        return 0;
    }
    let port = |at| {
        let port = word(transport, at).filter(|port| *port < EPHEMERAL);
        u32::from(port.unwrap_or(0))
    };
    port(0) << 16 | port(2)
}
