//! Packets of one family made into packets of the other (RFC 7915).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::answer;
use super::embedded::EmbeddingPrefix;
use super::header::{FragmentPart, PacketFields, v4_header, v6_header, v6_pseudo_header};
use super::hosts::HostPool;
use super::icmp::{HEADER_DIFFERENCE, LEAST_MTU, echo, error_to_v4, error_to_v6};
use super::outcome::{TranslationCounters, TranslationDrop};
use super::payload::{Made, Work, add_checksum, change_of, cut, transport};
use super::spec::ClatSpec;
use crate::packet::VNET_HEADER;
use crate::packet::checksum::Sum;
use crate::packet::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader};
use crate::packet::ip::{
    FRAGMENT_LENGTH, ICMP, ICMPV6, IPV4_LENGTH, IPV6_LENGTH, IpHeader, IpVersion, UDP,
};
use crate::packet::segment::{Vnet, complete_checksum};
use crate::packet::transport::{ICMP_CHECKSUM_AT, is_icmp_error};
use crate::topology::Subnet;

/// Makes packets of IPv4 of those of IPv6, and the other way round: a NAT64 without the ports,
/// which a NAT of IPv4 adds, or the client side of 464XLAT.
///
/// The translator stands at the far end of an interface of a router or host: whatever leaves by it
/// comes back as a packet of the other family. Frames have a virtio-net header in front. Hop limits
/// stay as they are: the kernel takes one off on each side.
#[derive(Clone, Debug)]
pub struct FamilyTranslator {
    local: LocalAddresses,
    remote: EmbeddingPrefix,
    /// Hardware addresses of what comes back: the sender's and the receiver's.
    macs: [[u8; 6]; 2],
    counters: TranslationCounters,
    next_id: u16,
}

/// Addresses of the other family that stand for the hosts on this side.
#[derive(Clone, Debug)]
enum LocalAddresses {
    /// Hosts of IPv6 have addresses of a pool of IPv4.
    Pool { network: Subnet, hosts: HostPool },
    /// Hosts of IPv4 are within a prefix of IPv6.
    Prefix(EmbeddingPrefix),
}

/// The address from which an ICMP error comes whose sender has none in IPv4 (RFC 7600, section
/// 4.8).
const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// The longest packet of IPv4 that may be fragmented further on: its header grows to one of a
/// packet of the least MTU of IPv6 (RFC 7915, section 5.1).
const FRAGMENTED_FROM: usize = LEAST_MTU - HEADER_DIFFERENCE;

/// A packet of IPv4 in its frame, with what was read of its header.
struct Ipv4Packet<'a> {
    frame: &'a [u8],
    fields: &'a PacketFields,
    addresses: [Ipv4Addr; 2],
}

impl FamilyTranslator {
    /// Makes the translator of a NAT64 between a prefix and a pool of IPv4 addresses.
    pub fn nat64(remote: EmbeddingPrefix, pool: Subnet, macs: [[u8; 6]; 2]) -> Self {
        let hosts = HostPool::new(pool);
        let network = pool;
        Self::new(LocalAddresses::Pool { network, hosts }, remote, macs)
    }

    /// Makes the client side of 464XLAT, for the NAT64 with a prefix.
    pub fn clat(remote: EmbeddingPrefix, macs: [[u8; 6]; 2]) -> Self {
        Self::new(LocalAddresses::Prefix(ClatSpec::LOCAL), remote, macs)
    }

    fn new(local: LocalAddresses, remote: EmbeddingPrefix, macs: [[u8; 6]; 2]) -> Self {
        Self {
            local,
            remote,
            macs,
            counters: TranslationCounters::default(),
            next_id: 1,
        }
    }

    /// Returns what was translated and what was dropped.
    pub fn counters(&self) -> &TranslationCounters {
        &self.counters
    }

    /// Returns the hosts of IPv6 that have an address of the pool, with the address.
    pub fn hosts(&self) -> Vec<(Ipv6Addr, Ipv4Addr)> {
        match &self.local {
            LocalAddresses::Pool { hosts, .. } => hosts.all().collect(),
            LocalAddresses::Prefix(_) => Vec::new(),
        }
    }

    /// Translates a frame, and returns the frames that come back: several where a packet had to be
    /// fragmented, an error for one that cannot be translated, nothing for one that is dropped.
    pub fn translate(&mut self, whole: &[u8], now: u64) -> Vec<Vec<u8>> {
        let Some((vnet, frame)) = whole.split_first_chunk::<VNET_HEADER>() else {
            return Vec::new();
        };
        let ethernet = EthernetHeader::read(frame);
        let Some(ip) = ethernet.and_then(|ethernet| IpHeader::read(frame, &ethernet)) else {
            return Vec::new();
        };
        // The kernel also says things to neighbours and to groups.
        if ip.addresses(frame).into_iter().any(is_of_the_link) {
            return Vec::new();
        }
        let header = Vnet::of(vnet);
        let work = Work {
            partial: header.checksum_start().is_some(),
            segment: (!header.is_plain()).then_some(usize::from(header.segment)),
        };
        let made = match ip.version {
            IpVersion::V4 => self.frame_to_v6(whole, &ip, work, now),
            IpVersion::V6 => self.frame_to_v4(frame, &ip, work, now),
        };
        let made = match made {
            Ok(made) => made,
            Err(why) => {
                self.counters.dropped[why as usize] += 1;
                let error = answer::error(frame, &ip, why, self.macs);
                return error.into_iter().collect();
            }
        };
        let counters = &mut self.counters;
        let (version, counter, ethertype) = match ip.version {
            IpVersion::V4 => (IpVersion::V6, &mut counters.to_v6, ETHERTYPE_IPV6),
            IpVersion::V6 => (IpVersion::V4, &mut counters.to_v4, ETHERTYPE_IPV4),
        };
        *counter += 1;
        let [from, to] = self.macs;
        let whole = |(Made { packet, shift }, vnet): (Made, [u8; VNET_HEADER])| {
            let vnet = Vnet::with_version(&vnet, version, shift);
            let ethernet = [&to[..], &from, &ethertype.to_be_bytes()].concat();
            [&vnet[..], &ethernet, &packet].concat()
        };
        // What is cut into fragments has its checksum.
        let is_cut = made.len() > 1;
        let vnet = |made| (made, if is_cut { [0; VNET_HEADER] } else { *vnet });
        made.into_iter().map(vnet).map(whole).collect()
    }

    fn frame_to_v4(
        &mut self,
        frame: &[u8],
        ip: &IpHeader,
        work: Work,
        now: u64,
    ) -> Result<Vec<Made>, TranslationDrop> {
        let (fields, addresses) = PacketFields::read_v6(frame, ip)?;
        let packet = self.make_v4(frame, &fields, addresses, Some(work), now)?;
        let before = fields.payload_at - ip.at;
        let shift = IPV4_LENGTH as isize - before as isize;
        Ok(vec![Made { packet, shift }])
    }

    /// Makes a packet of IPv4. A quoted packet has no `work`.
    fn make_v4(
        &mut self,
        frame: &[u8],
        fields: &PacketFields,
        addresses: [Ipv6Addr; 2],
        work: Option<Work>,
        now: u64,
    ) -> Result<Vec<u8>, TranslationDrop> {
        let payload = &frame[fields.payload_at..fields.end];
        let is_quoted = work.is_none();
        let kind = payload.first().filter(|_| fields.protocol == ICMPV6);
        let is_error = kind.is_some_and(|kind| is_icmp_error(IpVersion::V6, *kind));
        let [from, to] = addresses;
        let source = match self.v4_of(from, now) {
            // A router on the way that is not behind the prefix says something about a packet.
            Err(TranslationDrop::NoHost) if is_error => DUMMY,
            other => other?,
        };
        let ends = [source, self.v4_of(to, now)?];
        let change = change_of(
            &addresses.map(|it| it.octets()),
            &ends.map(|it| it.octets()),
        );
        let (protocol, payload) = match fields.protocol {
            ICMPV6 => {
                let message = self.message_to_v4(payload, fields, addresses, is_quoted, now)?;
                (ICMP, message)
            }
            protocol => (
                protocol,
                transport(protocol, payload, fields, change, work)?,
            ),
        };
        let declared = match is_quoted {
            true => fields.declared,
            false => payload.len(),
        };
        let part = self.v4_part(fields, IPV4_LENGTH + declared, work);
        let header = v4_header(fields, protocol, declared, part, ends);
        let header = header.ok_or(TranslationDrop::Malformed)?;
        Ok([&header[..], &payload].concat())
    }

    /// Returns identification, flags and offset for a packet of IPv4 of this length.
    fn v4_part(&mut self, fields: &PacketFields, length: usize, work: Option<Work>) -> [u16; 2] {
        const DONT_FRAGMENT: u16 = 0x4000;
        const MORE_FRAGMENTS: u16 = 0x2000;
        if let Some(FragmentPart { offset, more, id }) = fields.part {
            let more = if more { MORE_FRAGMENTS } else { 0 };
            return [id as u16, offset | more];
        }
        // A sender of IPv6 does not expect that anybody asks for packets below the least MTU.
        let segment = work.and_then(|work| work.segment);
        let length = segment.map_or(length, |payload| IPV4_LENGTH * 2 + payload);
        if length > FRAGMENTED_FROM {
            return [0, DONT_FRAGMENT];
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        [id, 0]
    }

    fn message_to_v4(
        &mut self,
        message: &[u8],
        fields: &PacketFields,
        addresses: [Ipv6Addr; 2],
        is_quoted: bool,
        now: u64,
    ) -> Result<Vec<u8>, TranslationDrop> {
        if let Some(echo) = echo(message, fields, addresses, IpVersion::V4)? {
            return Ok(echo);
        }
        if is_quoted {
            return Err(TranslationDrop::Message);
        }
        let mut error = error_to_v4(message, |quoted| {
            let ip = v6_at(quoted)?;
            let (fields, addresses) = PacketFields::read_v6(quoted, &ip)?;
            self.make_v4(quoted, &fields, addresses, None, now)
        })?;
        let checksum = Sum::default().add(&error).checksum();
        error[ICMP_CHECKSUM_AT..ICMP_CHECKSUM_AT + 2].copy_from_slice(&checksum);
        Ok(error)
    }

    fn frame_to_v6(
        &mut self,
        whole: &[u8],
        ip: &IpHeader,
        work: Work,
        now: u64,
    ) -> Result<Vec<Made>, TranslationDrop> {
        let frame = &whole[VNET_HEADER..];
        let malformed = TranslationDrop::Malformed;
        let (fields, addresses) = PacketFields::read_v4(frame, ip).ok_or(malformed)?;
        let length = fields.end - fields.payload_at;
        // RFC 7915, section 4: a packet that routers of IPv4 may fragment is cut here, where the
        // path has the least MTU of IPv6. Segments of a super-frame are cut by a kernel.
        let is_cut = !fields.whole_only
            && work.segment.is_none()
            && IPV6_LENGTH + length + fields.part.map_or(0, |_| FRAGMENT_LENGTH) > LEAST_MTU;
        if !is_cut {
            let part = fields.part;
            let packet = Ipv4Packet {
                frame,
                fields: &fields,
                addresses,
            };
            let packet = self.make_v6(&packet, part, Some(work), now)?;
            let extension = part.map_or(0, |_| FRAGMENT_LENGTH);
            let before = fields.payload_at - ip.at;
            let shift = (IPV6_LENGTH + extension) as isize - before as isize;
            return Ok(vec![Made { packet, shift }]);
        }
        let mut completed = whole.to_vec();
        complete_checksum(&mut completed);
        let complete = Work {
            partial: false,
            ..work
        };
        let packet = Ipv4Packet {
            frame: &completed[VNET_HEADER..],
            fields: &fields,
            addresses,
        };
        let packet = self.make_v6(&packet, None, Some(complete), now)?;
        Ok(cut(&packet, &fields))
    }

    /// Makes a packet of IPv6. A quoted packet has no `work`.
    fn make_v6(
        &mut self,
        from: &Ipv4Packet<'_>,
        part: Option<FragmentPart>,
        work: Option<Work>,
        now: u64,
    ) -> Result<Vec<u8>, TranslationDrop> {
        let Ipv4Packet {
            frame,
            fields,
            addresses,
        } = *from;
        let payload = &frame[fields.payload_at..fields.end];
        let is_quoted = work.is_none();
        let kind = payload.first().filter(|_| fields.protocol == ICMP);
        let is_error = kind.is_some_and(|kind| is_icmp_error(IpVersion::V4, *kind));
        let ends = self.v6_of(addresses, is_quoted, is_error)?;
        let change = change_of(
            &addresses.map(|it| it.octets()),
            &ends.map(|it| it.octets()),
        );
        let (protocol, payload) = match fields.protocol {
            ICMP => {
                let message = self.message_to_v6(payload, fields, ends, is_quoted, now)?;
                (ICMPV6, message)
            }
            protocol => {
                let mut payload = transport(protocol, payload, fields, change, work)?;
                if protocol == UDP && !is_quoted {
                    add_checksum(&mut payload, fields, ends)?;
                }
                (protocol, payload)
            }
        };
        let declared = match is_quoted {
            true => fields.declared,
            false => payload.len(),
        };
        let header = v6_header(fields, protocol, declared, part, ends);
        let header = header.ok_or(TranslationDrop::Malformed)?;
        Ok([header, payload].concat())
    }

    fn message_to_v6(
        &mut self,
        message: &[u8],
        fields: &PacketFields,
        ends: [Ipv6Addr; 2],
        is_quoted: bool,
        now: u64,
    ) -> Result<Vec<u8>, TranslationDrop> {
        if let Some(echo) = echo(message, fields, ends, IpVersion::V6)? {
            return Ok(echo);
        }
        if is_quoted {
            return Err(TranslationDrop::Message);
        }
        let mut error = error_to_v6(message, |quoted| {
            let malformed = TranslationDrop::Malformed;
            let ip = IpHeader::read_at(quoted, 0).ok_or(malformed)?;
            let is_v4 = ip.version == IpVersion::V4;
            let read = is_v4.then(|| PacketFields::read_v4(quoted, &ip)).flatten();
            let (fields, addresses) = read.ok_or(malformed)?;
            let packet = Ipv4Packet {
                frame: quoted,
                fields: &fields,
                addresses,
            };
            self.make_v6(&packet, fields.part, None, now)
        })?;
        let pseudo = v6_pseudo_header(ends, ICMPV6, error.len());
        let checksum = Sum::default().add(&pseudo).add(&error).checksum();
        error[ICMP_CHECKSUM_AT..ICMP_CHECKSUM_AT + 2].copy_from_slice(&checksum);
        Ok(error)
    }

    /// Returns the address of IPv4 for one of IPv6.
    fn v4_of(&mut self, v6: Ipv6Addr, now: u64) -> Result<Ipv4Addr, TranslationDrop> {
        if let Some(v4) = self.remote.extract(v6) {
            let admits = self.remote.admits(v4);
            return admits.then_some(v4).ok_or(TranslationDrop::NotPublic);
        }
        match &mut self.local {
            LocalAddresses::Pool { hosts, .. } => {
                let address = hosts.address_of(v6, now);
                address.ok_or(TranslationDrop::Exhausted)
            }
            LocalAddresses::Prefix(prefix) => prefix.extract(v6).ok_or(TranslationDrop::NoHost),
        }
    }

    /// Returns the addresses of IPv6 for both ends of a packet.
    ///
    /// A quoted packet has gone the other way.
    fn v6_of(
        &self,
        addresses: [Ipv4Addr; 2],
        is_quoted: bool,
        is_error: bool,
    ) -> Result<[Ipv6Addr; 2], TranslationDrop> {
        let [from, to] = addresses;
        // Behind a client of 464XLAT are the hosts of IPv4, which begin.
        let begins_here = matches!(self.local, LocalAddresses::Prefix(_)) != is_quoted;
        if begins_here {
            return Ok([self.local_v6(from)?, self.remote_v6(to, false)?]);
        }
        // Routers on the way may have private addresses. Without their errors, no sender would find
        // out the MTU of the path.
        Ok([self.remote_v6(from, is_error)?, self.local_v6(to)?])
    }

    fn local_v6(&self, v4: Ipv4Addr) -> Result<Ipv6Addr, TranslationDrop> {
        match &self.local {
            LocalAddresses::Pool { network, hosts } => {
                let host = network.contains(v4.into()).then(|| hosts.host_at(v4));
                host.flatten().ok_or(TranslationDrop::NoHost)
            }
            LocalAddresses::Prefix(prefix) => Ok(prefix.embed(v4)),
        }
    }

    fn remote_v6(&self, v4: Ipv4Addr, any: bool) -> Result<Ipv6Addr, TranslationDrop> {
        let admits = any || self.remote.admits(v4);
        let v6 = admits.then(|| self.remote.embed(v4));
        v6.ok_or(TranslationDrop::NotPublic)
    }
}

/// Returns whether an address has a meaning on one link only, or is one of many hosts.
fn is_of_the_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}

fn v6_at(bytes: &[u8]) -> Result<IpHeader, TranslationDrop> {
    let ip = IpHeader::read_at(bytes, 0).filter(|ip| ip.version == IpVersion::V6);
    ip.ok_or(TranslationDrop::Malformed)
}
