//! The answer of a name server to a question, as RFC 1034 (section 4.3.2) and RFC 4592 have it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::dns::kind::RecordKind;
use crate::dns::lab_names::LabNames;
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
    zones: Vec<DomainName>,
    records: HashMap<DomainName, Vec<Record>>,
    /// The names with records, and all names above them.
    there: HashSet<DomainName>,
    ttl: u32,
    lab: LabNames,
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
        let mut catalog = Self {
            zones: DomainName::absolute(domain).into_iter().collect(),
            records: HashMap::new(),
            there: HashSet::new(),
            ttl: spec.ttl.unwrap_or(TTL),
            lab,
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

    /// Finds what a name stands for.
    pub(crate) fn find(&self, name: &DomainName, kind: RecordKind, asker: IpAddr) -> Found {
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
