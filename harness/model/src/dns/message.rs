//! DNS messages: a question from bytes, and an answer to bytes (RFC 1035, section 4; RFC 6891).

use std::net::IpAddr;
use std::time::Duration;

use simple_dns::rdata::{self, RData};
use simple_dns::{CLASS, CharacterString, Name, Packet, PacketFlag, RCODE, ResourceRecord};

use crate::dns::catalog::{Catalog, Found, Lookup};
use crate::dns::fault::{ParsedEffect, ParsedFault};
use crate::dns::kind::RecordKind;
use crate::dns::name::DomainName;
use crate::dns::query::DnsOutcome;
use crate::dns::record::{Record, RecordData};

/// Bytes of a header.
const HEADER: usize = 12;

/// The most bytes of an answer by UDP: without EDNS (RFC 1035, section 2.3.4), and with it, so that
/// no datagram is fragmented (DNS flag day 2020; it is the default of BIND and Unbound since).
const PLAIN: usize = 512;
const EDNS: u16 = 1232;

/// The number of the class of the Internet, and of all classes.
const INTERNET: u16 = 1;
const ANY_CLASS: u16 = 255;

/// The content of a message.
#[derive(Debug)]
pub enum ParsedMessage {
    /// A message that is not to be answered: an answer, or no header.
    Nothing,
    /// A message that is no question that servers take, and the answer that says so.
    Unfit(Vec<u8>),
    /// A question.
    Question(Question),
}

/// A question.
#[derive(Debug)]
pub struct Question {
    packet: Packet<'static>,
    /// The name as it is looked up.
    pub name: DomainName,
    /// The type of record that is asked for.
    pub kind: RecordKind,
    /// The numbers of type and class, and their place in the message.
    numbers: ([u8; 4], usize),
    /// The head of the OPT record, if the question has one.
    edns: Option<AskedEdns>,
}

/// The head of an OPT record of a question (RFC 6891, section 6.1.3).
///
/// The crate simple-dns 0.13 takes the byte with the flag DO for the version, so a question of a
/// resolver that knows DNSSEC would have the version 128; these bytes are read and written here.
#[derive(Clone, Copy, Debug)]
struct AskedEdns {
    version: u8,
    /// Whether the asker understands the records of DNSSEC (DO, RFC 3225), which is repeated.
    dnssec: bool,
}

/// The type of OPT records.
const OPT: u16 = 41;

/// Bytes of an OPT record without options, and the place of its version and flags from the end.
const OPT_LENGTH: usize = 11;
const OPT_FLAGS: usize = 6;

/// The reaction of a server to a question.
#[derive(Debug)]
pub struct Reply {
    /// The message, if there is one.
    pub bytes: Option<Vec<u8>>,
    /// The time after which the message goes out.
    pub delay: Duration,
    /// The message in a word.
    pub outcome: DnsOutcome,
}

/// Reads a message.
pub fn hear(bytes: &[u8]) -> ParsedMessage {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return ParsedMessage::Nothing;
    };
    let is_answer = header[2] & 0x80 != 0;
    if is_answer {
        return ParsedMessage::Nothing;
    }
    let is_query = header[2] & 0x78 == 0;
    if !is_query {
        return ParsedMessage::Unfit(bare(header, RCODE::NotImplemented));
    }
    match question(bytes) {
        Some(question) => ParsedMessage::Question(question),
        None => ParsedMessage::Unfit(bare(header, RCODE::FormatError)),
    }
}

/// Makes an answer that is a header only: the question was not understood.
fn bare(header: &[u8; HEADER], code: RCODE) -> Vec<u8> {
    let mut answer = [0; HEADER];
    answer[..2].copy_from_slice(&header[..2]);
    // The kind of question, and whether recursion is desired, are repeated.
    answer[2] = 0x80 | header[2] & 0x79;
    answer[3] = 0x80 | code as u8;
    answer.to_vec()
}

fn question(bytes: &[u8]) -> Option<Question> {
    let is_one = bytes[4..6] == [0, 1];
    if !is_one {
        return None;
    }
    let (name, at) = asked_name(bytes)?;
    let numbers: [u8; 4] = bytes.get(at..)?.first_chunk().copied()?;
    // The crate knows no questions for types of which it has no records, and refuses a header whose
    // reserved bit is set. Whoever asks for a new type is to hear that there is none.
    let mut plain = bytes.to_vec();
    plain[3] &= !0x40;
    plain[at..at + 4].copy_from_slice(&[0, 1, 0, 1]);
    let edns = opt_flags_at(bytes, at + 4).and_then(|at| {
        let flags: &mut [u8; 4] = plain.get_mut(at..)?.first_chunk_mut()?;
        let [_, version, high, _] = std::mem::take(flags);
        let dnssec = high & 0x80 != 0;
        Some(AskedEdns { version, dnssec })
    });
    let packet = Packet::parse(&plain).ok()?;
    // An OPT record counts in the additional section only (RFC 6891, section 6.1.1).
    let edns = edns.filter(|_| packet.opt().is_some());
    Some(Question {
        packet: owned(packet),
        name,
        kind: RecordKind::from_number(u16::from_be_bytes([numbers[0], numbers[1]])),
        numbers: (numbers, at),
        edns,
    })
}

/// Returns the place of the version and the flags in the OPT record of a message, whose records
/// begin at `at`. Returns nothing if there is no OPT record, or if a record before it is cut off.
fn opt_flags_at(bytes: &[u8], mut at: usize) -> Option<usize> {
    let count = |at: usize| u32::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    for _ in 0..count(6) + count(8) + count(10) {
        // A name ends with an empty label, or with a pointer (RFC 1035, section 4.1.4).
        loop {
            let length = *bytes.get(at)?;
            at += match length {
                0 => 1,
                192.. => 2,
                length => 1 + usize::from(length),
            };
            if length == 0 || length >= 192 {
                break;
            }
        }
        let head: &[u8; 10] = bytes.get(at..)?.first_chunk()?;
        if u16::from_be_bytes([head[0], head[1]]) == OPT {
            return Some(at + 4);
        }
        at += head.len() + usize::from(u16::from_be_bytes([head[8], head[9]]));
    }
    None
}

/// Keeps of a message what its answer depends on.
fn owned(message: Packet<'_>) -> Packet<'static> {
    let mut kept = Packet::new_query(message.id());
    if message.has_flags(PacketFlag::RECURSION_DESIRED) {
        kept.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *kept.opt_mut() = message.opt().map(|opt| rdata::OPT {
        opt_codes: Vec::new(),
        udp_packet_size: opt.udp_packet_size,
        version: 0,
    });
    let questions = message.questions.into_iter();
    kept.questions = questions.map(simple_dns::Question::into_owned).collect();
    kept
}

/// Returns the name in a question, and where the type stands. A pointer cannot be in a question:
/// nothing stands before it.
fn asked_name(bytes: &[u8]) -> Option<(DomainName, usize)> {
    let mut at = HEADER;
    let mut text = String::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        let label = bytes.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            return Some((DomainName::as_asked(&text), at));
        }
        if length > 63 || at - HEADER > 255 {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        for byte in label {
            match byte {
                b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
                b'!'..=b'~' => text.push(char::from(*byte)),
                // RFC 1035, section 5.1, escapes a byte by its decimal number.
                odd => text.push_str(&format!("\\{odd:03}")),
            }
        }
    }
}

impl Question {
    /// Returns what a server says that knows `catalog`, while faults are in force.
    pub fn reply<'f>(
        &self,
        catalog: &Catalog,
        faults: impl IntoIterator<Item = &'f ParsedFault>,
        asker: IpAddr,
        tcp: bool,
    ) -> Reply {
        let mut delay = Duration::ZERO;
        let mut last = None;
        let other = catalog.other_form(&self.name);
        let about = |fault: &&ParsedFault| fault.is_about(&self.name, other.as_ref(), self.kind);
        for fault in faults.into_iter().filter(about) {
            if let ParsedEffect::Delay(by) = fault.effect() {
                delay = delay.saturating_add(*by);
            } else {
                // Of those that exclude each other, the fault that began last is in force.
                last = Some(fault.effect());
            }
        }
        let found = || catalog.find(&self.name, self.kind, asker);
        let ttl = catalog.ttl();
        let (bytes, outcome) = match (self.refusal(), last) {
            (_, Some(ParsedEffect::Silence)) => (None, DnsOutcome::Silence),
            (Some(refused), _) => refused,
            (None, None | Some(ParsedEffect::Delay(_))) => self.answer(&found(), ttl, tcp),
            (None, Some(ParsedEffect::Servfail)) => (
                self.write(RCODE::ServerFailure, &[], None, 0),
                DnsOutcome::Failed,
            ),
            (None, Some(ParsedEffect::Nxdomain)) => {
                let none = Found {
                    what: Lookup::NoName,
                    records: Vec::new(),
                    ..found()
                };
                self.answer(&none, ttl, tcp)
            }
            (None, Some(ParsedEffect::Truncate)) if !tcp => self.truncated(),
            (None, Some(ParsedEffect::Truncate)) => self.answer(&found(), ttl, tcp),
            (None, Some(ParsedEffect::Answer(records))) => {
                self.answer(&self.changed(records, found().zone), ttl, tcp)
            }
        };
        Reply {
            bytes,
            delay,
            outcome,
        }
    }

    /// Returns what a server says to a question that it never answers.
    fn refusal(&self) -> Option<(Option<Vec<u8>>, DnsOutcome)> {
        if self.edns.is_some_and(|it| it.version > 0) {
            let answer = self.write(RCODE::BADVERS, &[], None, 0);
            return Some((answer, DnsOutcome::BadVersion));
        }
        let [_, _, high, low] = self.numbers.0;
        let class = u16::from_be_bytes([high, low]);
        // Transfers of zones: IXFR and AXFR.
        let transfer = matches!(self.kind, RecordKind::Other(251 | 252));
        if transfer || ![INTERNET, ANY_CLASS].contains(&class) {
            let answer = self.write(RCODE::Refused, &[], None, 0);
            return Some((answer, DnsOutcome::Refused));
        }
        None
    }

    fn changed(&self, records: &[(Option<u32>, RecordData)], zone: DomainName) -> Found {
        let fits = |data: &RecordData| {
            let kind = data.kind();
            self.kind == RecordKind::Any || kind == self.kind || kind == RecordKind::Cname
        };
        let records: Vec<Record> = records
            .iter()
            .filter(|(_, data)| fits(data))
            .map(|(ttl, data)| Record {
                name: self.name.clone(),
                ttl: *ttl,
                data: data.clone(),
            })
            .collect();
        let what = if records.is_empty() {
            Lookup::NoData
        } else {
            Lookup::Records
        };
        Found {
            what,
            records,
            zone,
        }
    }

    fn answer(&self, found: &Found, ttl: u32, tcp: bool) -> (Option<Vec<u8>>, DnsOutcome) {
        let apex = found.zone == self.name && found.records.is_empty();
        if self.kind == RecordKind::Soa && found.what == Lookup::NoData && apex {
            // A zone has an SOA record, which libraries look for to find the zone of a name.
            let bytes = self.write_start(&found.zone, ttl);
            return (bytes, DnsOutcome::Answered(1));
        }
        let (code, zone, outcome) = match found.what {
            Lookup::Records => (
                RCODE::NoError,
                None,
                DnsOutcome::Answered(found.records.len()),
            ),
            Lookup::NoData => (RCODE::NoError, Some(&found.zone), DnsOutcome::NoData),
            Lookup::NoName => (RCODE::NameError, Some(&found.zone), DnsOutcome::NoName),
        };
        let bytes = self.write(code, &found.records, zone, ttl);
        let most = match self.packet.opt() {
            _ if tcp => usize::from(u16::MAX),
            Some(opt) => usize::from(opt.udp_packet_size.min(EDNS)).max(PLAIN),
            None => PLAIN,
        };
        if bytes.as_ref().is_some_and(|bytes| bytes.len() > most) {
            return self.truncated();
        }
        (bytes, outcome)
    }

    /// Makes an answer without records that says that there are too many.
    fn truncated(&self) -> (Option<Vec<u8>>, DnsOutcome) {
        let mut bytes = self.write(RCODE::NoError, &[], None, 0);
        if let Some(flags) = bytes.as_mut().and_then(|bytes| bytes.get_mut(2)) {
            *flags |= 0x02;
        }
        (bytes, DnsOutcome::Truncated)
    }

    /// Makes the answer with the SOA record of the zone that was asked for.
    fn write_start(&self, zone: &DomainName, ttl: u32) -> Option<Vec<u8>> {
        let mut answer = self.start_answer(RCODE::NoError);
        answer.answers.push(authority(zone, ttl));
        self.finish(&answer)
    }

    /// Returns an answer without records.
    fn start_answer(&self, code: RCODE) -> Packet<'_> {
        let mut answer = Packet::new_reply(self.packet.id());
        answer.set_flags(PacketFlag::RECURSION_AVAILABLE | PacketFlag::AUTHORITATIVE_ANSWER);
        if self.packet.has_flags(PacketFlag::RECURSION_DESIRED) {
            answer.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        *answer.rcode_mut() = code;
        answer.questions.clone_from(&self.packet.questions);
        // RFC 6891, section 6.1.1: whoever sends an OPT record gets one.
        *answer.opt_mut() = self.packet.opt().map(|_| rdata::OPT {
            opt_codes: Vec::new(),
            udp_packet_size: EDNS,
            version: 0,
        });
        answer
    }

    fn write(
        &self,
        code: RCODE,
        records: &[Record],
        zone: Option<&DomainName>,
        ttl: u32,
    ) -> Option<Vec<u8>> {
        let mut answer = self.start_answer(code);
        let asked = &self.packet.questions.first()?.qname;
        for Record {
            name,
            ttl: own,
            data,
        } in records
        {
            // The letters are as they were asked for: some clients compare them.
            let name = if *name == self.name {
                asked.clone()
            } else {
                wire_name(name)
            };
            let data = wire_data(data)?;
            let record = ResourceRecord::new(name, CLASS::IN, own.unwrap_or(ttl), data);
            answer.answers.push(record);
        }
        if let Some(zone) = zone {
            answer.name_servers.push(authority(zone, ttl));
        }
        self.finish(&answer)
    }

    /// Writes an answer, with the bytes that the crate simple-dns cannot write.
    fn finish(&self, answer: &Packet<'_>) -> Option<Vec<u8>> {
        let mut bytes = answer.build_bytes_vec_compressed().ok()?;
        let (numbers, at) = self.numbers;
        bytes.get_mut(at..at + 4)?.copy_from_slice(&numbers);
        if let Some(AskedEdns { version: _, dnssec }) = self.edns {
            // The OPT record is the only record in the additional section.
            debug_assert_eq!(bytes[bytes.len() - OPT_LENGTH..][..3], [0, 0, OPT as u8]);
            let flags = bytes.len().checked_sub(OPT_FLAGS)?;
            // RFC 6891, section 6.1.3: the upper bits of the code, the version, and the flags.
            let code = (answer.rcode() as u16 >> 4) as u8;
            let flag = if dnssec { 0x80 } else { 0 };
            bytes[flags..flags + 4].copy_from_slice(&[code, 0, flag, 0]);
        }
        Some(bytes)
    }
}

/// Makes the record by which a resolver knows for how long to keep "no" (RFC 2308, section 3).
fn authority(zone: &DomainName, ttl: u32) -> ResourceRecord<'_> {
    let soa = rdata::SOA {
        mname: wire_name(zone),
        rname: wire_name(zone),
        serial: 1,
        refresh: 3600,
        retry: 600,
        expire: 86_400,
        minimum: ttl,
    };
    ResourceRecord::new(wire_name(zone), CLASS::IN, ttl, RData::SOA(soa))
}

fn wire_name(name: &DomainName) -> Name<'_> {
    Name::new_unchecked(name.as_str())
}

fn wire_data(data: &RecordData) -> Option<RData<'_>> {
    Some(match data {
        RecordData::A(address) => RData::A(rdata::A {
            address: (*address).into(),
        }),
        RecordData::Aaaa(address) => RData::AAAA(rdata::AAAA {
            address: (*address).into(),
        }),
        RecordData::Cname(name) => RData::CNAME(rdata::CNAME(wire_name(name))),
        RecordData::Ptr(name) => RData::PTR(rdata::PTR(wire_name(name))),
        RecordData::Ns(name) => RData::NS(rdata::NS(wire_name(name))),
        RecordData::Mx(preference, exchange) => RData::MX(rdata::MX {
            preference: *preference,
            exchange: wire_name(exchange),
        }),
        RecordData::Txt(strings) => {
            let mut text = rdata::TXT::new();
            for string in strings {
                text.add_char_string(CharacterString::new(string).ok()?);
            }
            RData::TXT(text)
        }
        RecordData::Srv {
            priority,
            weight,
            port,
            target,
        } => RData::SRV(rdata::SRV {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: wire_name(target),
        }),
    })
}
