//! Messages of DHCPv6 as bytes (RFC 8415, section 8 and 21).

use std::net::Ipv6Addr;

use crate::dhcp6::message::{
    Association, AssociationKind, Dhcp6Kind, Dhcp6Message, Dhcp6Status, LeasedRange, first, single,
};
use crate::topology::Subnet;

const CLIENT: u16 = 1;
const SERVER: u16 = 2;
const ADDRESSES: u16 = 3;
const TEMPORARY: u16 = 4;
const ADDRESS: u16 = 5;
const WANTED: u16 = 6;
const ELAPSED: u16 = 8;
const STATUS: u16 = 13;
const RAPID_COMMIT: u16 = 14;
/// The option with name servers.
pub(super) const DNS: u16 = 23;
/// The option with domains.
pub(super) const DOMAINS: u16 = 24;
const PREFIXES: u16 = 25;
const PREFIX: u16 = 26;

/// The longest name of a client or server, in bytes, and the shortest: a type and something of that
/// type (section 11.1).
const DUIDS: std::ops::RangeInclusive<usize> = 3..=130;

impl Dhcp6Message {
    /// Reads a message; nothing if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[kind, a, b, c], rest) = bytes.split_first_chunk()?;
        let mut message = Self::new(Dhcp6Kind::of(kind)?, u32::from_be_bytes([0, a, b, c]));
        let mut options = OptionReader(rest);
        while let Some((code, value)) = options.next()? {
            match code {
                CLIENT => message.client = Some(name(value)?),
                SERVER => message.server = Some(name(value)?),
                ADDRESSES | PREFIXES => message.associations.push(association(code, value)?),
                TEMPORARY => {
                    let (id, _) = value.split_first_chunk::<4>()?;
                    message.temporary.push(u32::from_be_bytes(*id));
                }
                WANTED => {
                    let (numbers, _) = value.as_chunks::<2>();
                    message.wanted = numbers.iter().copied().map(u16::from_be_bytes).collect();
                }
                ELAPSED => message.elapsed = Some(u16::from_be_bytes(value.try_into().ok()?)),
                STATUS => message.status = Some(status(value)?),
                RAPID_COMMIT => message.rapid_commit = true,
                DNS => {
                    let (addresses, _) = value.as_chunks::<16>();
                    message.dns = addresses.iter().copied().map(Ipv6Addr::from).collect();
                }
                DOMAINS => message.domains = domains(value)?,
                _ => {}
            }
        }
        Some(message)
    }

    /// Writes the message.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.xid.to_be_bytes().to_vec();
        bytes[0] = self.kind.number();
        for (code, name) in [(CLIENT, &self.client), (SERVER, &self.server)] {
            if let Some(name) = name {
                put(&mut bytes, code, name);
            }
        }
        if let Some(elapsed) = self.elapsed {
            put(&mut bytes, ELAPSED, &elapsed.to_be_bytes());
        }
        for own in &self.associations {
            put_association(&mut bytes, own);
        }
        for id in &self.temporary {
            // The only thing that is ever said of temporary addresses is that there are none.
            let mut value = id.to_be_bytes().to_vec();
            put_status(&mut value, Dhcp6Status::NoAddrsAvail);
            put(&mut bytes, TEMPORARY, &value);
        }
        if let Some(status) = self.status {
            put_status(&mut bytes, status);
        }
        if self.rapid_commit {
            put(&mut bytes, RAPID_COMMIT, &[]);
        }
        if !self.wanted.is_empty() {
            let numbers = self.wanted.iter().flat_map(|it| it.to_be_bytes());
            put(&mut bytes, WANTED, &numbers.collect::<Vec<u8>>());
        }
        if !self.dns.is_empty() {
            let addresses = self.dns.iter().flat_map(Ipv6Addr::octets);
            put(&mut bytes, DNS, &addresses.collect::<Vec<u8>>());
        }
        if !self.domains.is_empty() {
            let mut value = Vec::new();
            for label in self.domains.iter().flat_map(|it| it.split('.').chain([""])) {
                // Labels of a lab are short (RFC 1035, section 2.3.4).
                value.push(label.len().min(63) as u8);
                value.extend(&label.as_bytes()[..label.len().min(63)]);
            }
            put(&mut bytes, DOMAINS, &value);
        }
        bytes
    }
}

/// The options that are left of a message or of another option.
struct OptionReader<'b>(&'b [u8]);

impl<'b> OptionReader<'b> {
    /// Returns the next option, or that there is none; nothing where the rest is no option.
    fn next(&mut self) -> Option<Option<(u16, &'b [u8])>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let (&[a, b, c, d], rest) = self.0.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([c, d]));
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some((u16::from_be_bytes([a, b]), value)))
    }
}

fn name(value: &[u8]) -> Option<Vec<u8>> {
    DUIDS.contains(&value.len()).then(|| value.to_vec())
}

fn status(value: &[u8]) -> Option<Dhcp6Status> {
    let (number, _) = value.split_first_chunk()?;
    Some(Dhcp6Status::of(u16::from_be_bytes(*number)))
}

/// Reads an identity association.
fn association(code: u16, value: &[u8]) -> Option<Association> {
    let (fixed, rest) = value.split_first_chunk::<12>()?;
    let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|it| fixed[at + it]));
    let kind = if code == ADDRESSES {
        AssociationKind::Addresses
    } else {
        AssociationKind::Prefixes
    };
    let mut own = Association::new(kind, number(0));
    own.times = [number(4), number(8)];
    let mut options = OptionReader(rest);
    while let Some((code, value)) = options.next()? {
        match (kind, code) {
            (AssociationKind::Addresses, ADDRESS) => {
                let (address, rest) = value.split_first_chunk::<16>()?;
                let (times, inner) = rest.split_first_chunk::<8>()?;
                let range = single(Ipv6Addr::from(*address));
                own.leased
                    .push(leased(range, times, inner, &mut own.status)?);
            }
            (AssociationKind::Prefixes, PREFIX) => {
                let (times, rest) = value.split_first_chunk::<8>()?;
                let (&length, rest) = rest.split_first()?;
                let (address, inner) = rest.split_first_chunk::<16>()?;
                // Bits behind the prefix are not looked at (section 21.22).
                let range = Subnet::around(Ipv6Addr::from(*address).into(), length)?;
                own.leased
                    .push(leased(range, times, inner, &mut own.status)?);
            }
            (_, STATUS) => own.status = Some(status(value)?),
            _ => {}
        }
    }
    Some(own)
}

/// Reads the times of an address or prefix, and the options within.
fn leased(
    range: Subnet,
    times: &[u8; 8],
    inner: &[u8],
    whole: &mut Option<Dhcp6Status>,
) -> Option<LeasedRange> {
    let [a, b, c, d, e, f, g, h] = *times;
    let range = LeasedRange {
        range,
        preferred: u32::from_be_bytes([a, b, c, d]),
        valid: u32::from_be_bytes([e, f, g, h]),
    };
    let mut options = OptionReader(inner);
    while let Some((code, value)) = options.next()? {
        // A code here is about one range, and a server of ours gives one range each.
        if code == STATUS {
            *whole = Some(status(value)?);
        }
    }
    Some(range)
}

/// Reads a list of domains: labels, each list of them ended by an empty one (RFC 1035, section
/// 3.1). They are not compressed (RFC 8415, section 10).
fn domains(mut value: &[u8]) -> Option<Vec<String>> {
    let (mut domains, mut labels) = (Vec::new(), Vec::new());
    while let Some((&length, rest)) = value.split_first() {
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        value = rest;
        match length {
            0 => domains.push(std::mem::take(&mut labels).join(".")),
            1..=63 => labels.push(String::from_utf8_lossy(label).into_owned()),
            _ => return None,
        }
    }
    labels.is_empty().then_some(domains)
}

/// Writes an option. One that is too long for its length is left out, which no message of a lab is.
fn put(bytes: &mut Vec<u8>, code: u16, value: &[u8]) {
    if let Ok(length) = u16::try_from(value.len()) {
        bytes.extend(code.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(value);
    }
}

fn put_status(bytes: &mut Vec<u8>, status: Dhcp6Status) {
    put(bytes, STATUS, &status.number().to_be_bytes());
}

fn put_association(bytes: &mut Vec<u8>, own: &Association) {
    let mut value = own.id.to_be_bytes().to_vec();
    value.extend(own.times.iter().flat_map(|it| it.to_be_bytes()));
    for leased in &own.leased {
        let address = first(leased.range).octets();
        let times = [leased.preferred, leased.valid].map(u32::to_be_bytes);
        match own.kind {
            AssociationKind::Addresses => {
                put(
                    &mut value,
                    ADDRESS,
                    &[&address[..], &times.concat()].concat(),
                );
            }
            AssociationKind::Prefixes => {
                let length = [leased.range.prefix()];
                let parts = [&times.concat()[..], &length, &address];
                put(&mut value, PREFIX, &parts.concat());
            }
        }
    }
    if let Some(status) = own.status {
        put_status(&mut value, status);
    }
    let code = match own.kind {
        AssociationKind::Addresses => ADDRESSES,
        AssociationKind::Prefixes => PREFIXES,
    };
    put(bytes, code, &value);
}
