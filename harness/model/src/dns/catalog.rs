//! The answer of a name server to a question, as RFC 1034 (section 4.3.2) and RFC 4592 have it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::dns::dns64::{ONLY_V4_ADDRESSES, Synthesis};
use crate::dns::kind::RecordKind;
use crate::dns::lab_names::{LabNames, address_of};
use crate::dns::name::DomainName;
use crate::dns::record::{Record, RecordData};
use crate::dns::spec::{DnsSpec, Zone};

/// Seconds for which an answer may be kept, where neither record nor server says another number.
const TTL: u32 = 60;

/// The most aliases (CNAME) that are followed from one question on.
const ALIASES: usize = 16;

/// Everything that a name server knows.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The domain of the lab.
    domain: Option<DomainName>,
    zones: Vec<DomainName>,
    records: HashMap<DomainName, Vec<Record>>,
    /// The names with records, and all names above them.
    there: HashSet<DomainName>,
    ttl: u32,
    lab: LabNames,
    dns64: Option<Synthesis>,
}

/// The other form of a name of the lab.
pub(crate) struct OtherForm {
    pub(crate) name: DomainName,
    /// Whether a node of the lab has the name, in whatever form.
    pub(crate) is_of_node: bool,
}

/// The findings for a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) what: Lookup,
    /// The records, with the aliases that led to them.
    pub(crate) records: Vec<Record>,
    /// The zone of the last name that was looked for.
    pub(crate) zone: DomainName,
}

/// Whether there is what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Records,
    /// The name exists, without such a record.
    NoData,
    /// No such name.
    NoName,
}

impl Catalog {
    /// Reads the zones of a server, whose topology was checked: a line that is no record is left
    /// out.
    pub fn new(spec: &DnsSpec, domain: &str, lab: LabNames) -> Self {
        let domain = DomainName::absolute(domain).ok();
        let mut catalog = Self {
            zones: domain.iter().cloned().collect(),
            domain,
            records: HashMap::new(),
            there: HashSet::new(),
            ttl: spec.ttl.unwrap_or(TTL),
            lab,
            dns64: spec.dns64.as_ref().and_then(Synthesis::of),
        };
        for Zone { name, records } in &spec.zones {
            let Ok(zone) = DomainName::absolute(name) else {
                continue;
            };
            for line in records {
                if let Ok(Some(record)) = Record::parse(line, &zone) {
                    catalog.add(record);
                }
            }
            catalog.there.insert(zone.clone());
            catalog.zones.push(zone);
        }
        catalog
    }

    /// Takes over the names of a lab that has changed.
    pub fn set_lab(&mut self, lab: LabNames) {
        self.lab = lab;
    }

    /// Returns the other form of a name of the lab: `bob.lab` of `bob`, and the other way round.
    pub(crate) fn other_form(&self, name: &DomainName) -> Option<OtherForm> {
        let domain = self.domain.as_ref()?;
        let is_of_node = self.lab.has_node(name);
        let below = name.as_str().strip_suffix(domain.as_str());
        if let Some(short) = below.and_then(|it| it.strip_suffix('.')) {
            let name = DomainName::as_asked(short);
            return Some(OtherForm { name, is_of_node });
        }
        let one_label = !name.as_str().is_empty() && !name.as_str().contains('.');
        // A name of a zone is no name of the lab, and neither is `org` above `example.org`.
        let may_be = one_label && !self.there.contains(name);
        let of_lab = name != domain && (is_of_node || may_be);
        of_lab.then(|| OtherForm {
            name: DomainName::as_asked(&format!("{name}.{domain}")),
            is_of_node,
        })
    }

    /// Returns the seconds for which an answer may be kept whose record says nothing of it.
    pub(crate) fn ttl(&self) -> u32 {
        self.ttl
    }

    fn add(&mut self, record: Record) {
        self.there.extend(record.name.and_above());
        self.records
            .entry(record.name.clone())
            .or_default()
            .push(record);
    }

    /// Finds what a name stands for, or makes it up as DNS64 does.
    pub(crate) fn find(&self, name: &DomainName, kind: RecordKind, asker: IpAddr) -> Found {
        let found = self.look_up(name, kind, asker);
        let for_asker = |it: &&Synthesis| it.is_for(asker, self.lab.has_v4(asker));
        let made_up = self.dns64.as_ref().filter(for_asker);
        let made_up = made_up.and_then(|dns64| {
            let v4 =
                (kind == RecordKind::Aaaa).then(|| self.made_of_v4(dns64, name, &found, asker));
            let reverse =
                (kind == RecordKind::Ptr).then(|| self.made_of_reverse(dns64, name, &found, asker));
            v4.or(reverse).flatten()
        });
        made_up.unwrap_or(found)
    }

    /// Makes IPv6 addresses of the IPv4 addresses of a name that has no others (RFC 6147, section
    /// 5.1).
    fn made_of_v4(
        &self,
        dns64: &Synthesis,
        name: &DomainName,
        found: &Found,
        asker: IpAddr,
    ) -> Option<Found> {
        // Section 5.1.4: IPv4-mapped addresses lead nowhere, and do not count.
        let counts = |record: &Record| matches!(&record.data, RecordData::Aaaa(v6) if v6.to_ipv4_mapped().is_none());
        if found.what == Lookup::NoName || found.records.iter().any(counts) {
            return None;
        }
        let mut v4 = self.look_up(name, RecordKind::A, asker);
        v4.records.retain_mut(|record| {
            let RecordData::A(address) = record.data else {
                return true;
            };
            // Section 5.1.7: the answer is kept for as long as that of IPv4.
            let made = dns64.address(address);
            record.data = RecordData::Aaaa(made.unwrap_or(address.to_ipv6_mapped()));
            made.is_some()
        });
        v4.records.iter().any(counts).then_some(v4)
    }

    /// Leads from the name of a made-up address to that of the IPv4 address in it (RFC 6147,
    /// section 5.3.1).
    fn made_of_reverse(
        &self,
        dns64: &Synthesis,
        name: &DomainName,
        found: &Found,
        asker: IpAddr,
    ) -> Option<Found> {
        if found.what == Lookup::Records {
            return None;
        }
        let target = dns64.reverse(address_of(name)?)?;
        let mut there = self.look_up(&target, RecordKind::Ptr, asker);
        let alias = Record {
            name: name.clone(),
            ttl: None,
            data: RecordData::Cname(target),
        };
        there.records.insert(0, alias);
        Some(there)
    }

    fn look_up(&self, name: &DomainName, kind: RecordKind, asker: IpAddr) -> Found {
        let mut records: Vec<Record> = Vec::new();
        let mut name = name.clone();
        let mut what = Lookup::NoData;
        for _ in 0..=ALIASES {
            let Some(here) = self.at(&name, asker) else {
                what = Lookup::NoName;
                break;
            };
            let fits = |record: &&Record| kind == RecordKind::Any || record.data.kind() == kind;
            let fitting: Vec<Record> = here.iter().filter(fits).cloned().collect();
            if !fitting.is_empty() {
                records.extend(fitting);
                what = Lookup::Records;
                break;
            }
            let alias = here.into_iter().find_map(|record| {
                let target = record.data.alias()?.clone();
                Some((target, record))
            });
            let Some((target, record)) = alias else {
                what = Lookup::NoData;
                break;
            };
            records.push(record);
            name = target;
        }
        let zones = self.zones.iter().filter(|zone| name.is_in(zone));
        let zone = zones.max_by_key(|zone| zone.as_str().len());
        Found {
            what,
            records,
            zone: zone.cloned().unwrap_or_default(),
        }
    }

    /// Returns the records of a name, or nothing if there is no such name.
    fn at(&self, name: &DomainName, asker: IpAddr) -> Option<Vec<Record>> {
        let record = |data| Record {
            name: name.clone(),
            ttl: None,
            data,
        };
        let own = self.records.get(name).cloned();
        if let Some(addresses) = self.lab.addresses(name, asker) {
            let addresses = addresses.into_iter().map(|address| match address {
                IpAddr::V4(v4) => RecordData::A(v4),
                IpAddr::V6(v6) => RecordData::Aaaa(v6),
            });
            return Some(
                own.into_iter()
                    .flatten()
                    .chain(addresses.map(record))
                    .collect(),
            );
        }
        // Zones go first: a test may want an address to have another name.
        if own.is_some() {
            return own;
        }
        if self.dns64.is_some() && Synthesis::is_only_v4(name) {
            let data = ONLY_V4_ADDRESSES.map(RecordData::A);
            return Some(data.map(record).into());
        }
        if let Some(long) = self.lab.name_of(name) {
            return Some(vec![record(RecordData::Ptr(long.clone()))]);
        }
        // RFC 4592, section 3.3.1: the wildcard below the closest name that is there.
        let is_there = |name: &DomainName| self.there.contains(name) || self.lab.has(name);
        let encloser = name.and_above().find(is_there)?;
        if encloser == *name {
            return Some(Vec::new());
        }
        let wild = self.records.get(&encloser.wildcard())?;
        let named = |it: &Record| Record {
            name: name.clone(),
            ..it.clone()
        };
        Some(wild.iter().map(named).collect())
    }
}
