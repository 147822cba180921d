//! What is wrong with the name servers of a topology.

use std::collections::{HashMap, HashSet};

use crate::dns::dns64::Dns64Spec;
use crate::dns::kind::RecordKind;
use crate::dns::lab_names::LabNames;
use crate::dns::name::DomainName;
use crate::dns::record::Record;
use crate::dns::spec::{DnsSpec, Zone};
use crate::plan::Plan;
use crate::topology::error::{Problems, Site};
use crate::topology::problem::{DnsProblem, NamedPart};

/// The most lines of a zone. Each is kept and judged.
const LINES: usize = 1_000_000;

/// Checks one server. `lab` has the names of the nodes, if the topology is whole.
pub(crate) fn check(spec: &DnsSpec, site: Site, server: &NamedPart, problems: &mut Problems) {
    let named = || server.clone();
    if let Some(wrong) = spec.dns64.as_ref().and_then(Dns64Spec::wrong) {
        let server = named();
        problems.add(site, || DnsProblem::Dns64Prefix { server, wrong });
    }
    let mut zones: HashSet<DomainName> = HashSet::new();
    for Zone { name, records } in &spec.zones {
        let zone = match DomainName::absolute(name) {
            Ok(zone) => zone,
            Err(wrong) => {
                problems.add(site, || DnsProblem::ZoneName {
                    server: named(),
                    zone: name.clone(),
                    wrong,
                });
                continue;
            }
        };
        if !zones.insert(zone.clone()) {
            problems.add(site, || DnsProblem::ZoneTwice {
                server: named(),
                zone: name.clone(),
            });
        }
        if records.len() > LINES {
            problems.add(site, || DnsProblem::ZoneTooLong {
                server: named(),
                zone: name.clone(),
                most: LINES,
            });
            continue;
        }
        check_records(&zone, records, site, server, problems);
    }
}

fn check_records(
    zone: &DomainName,
    lines: &[String],
    site: Site,
    server: &NamedPart,
    problems: &mut Problems,
) {
    let mut seen: HashSet<Record> = HashSet::new();
    let mut kinds: HashMap<DomainName, HashSet<RecordKind>> = HashMap::new();
    for line in lines {
        let named = || (server.clone(), zone.as_str().to_owned(), line.clone());
        let record = match Record::parse(line, zone) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(wrong) => {
                problems.add(site, || {
                    let (server, zone, line) = named();
                    DnsProblem::WrongLine {
                        server,
                        zone,
                        line,
                        wrong,
                    }
                });
                continue;
            }
        };
        if !record.name.is_in(zone) {
            problems.add(site, || {
                let (server, zone, line) = named();
                DnsProblem::NameOutsideZone {
                    server,
                    zone,
                    line,
                    name: record.name.as_str().to_owned(),
                }
            });
            continue;
        }
        let unaged = Record {
            ttl: None,
            ..record.clone()
        };
        if !seen.insert(unaged) {
            problems.add(site, || {
                let (server, zone, line) = named();
                DnsProblem::RecordTwice { server, zone, line }
            });
        }
        let others = kinds.entry(record.name.clone()).or_default();
        let kind = record.data.kind();
        let alias = others.contains(&RecordKind::Cname) || kind == RecordKind::Cname;
        if alias && !others.is_empty() {
            problems.add(site, || {
                let (server, zone, line) = named();
                DnsProblem::AliasWithRecord {
                    server,
                    zone,
                    name: record.name.as_str().to_owned(),
                    line,
                }
            });
        }
        others.insert(kind);
    }
}

/// Checks that no zone gives an address to a name that a node of the lab has.
pub(crate) fn check_with_nodes<'s>(
    servers: impl Iterator<Item = (&'s DnsSpec, Site)>,
    plan: &Plan,
    problems: &mut Problems,
) {
    let mut lab = None;
    for (spec, site) in servers {
        for Zone { name, records } in &spec.zones {
            // Names are read for zones alone, which most servers have none of.
            let lab = lab.get_or_insert_with(|| LabNames::of(plan));
            let Ok(zone) = DomainName::absolute(name) else {
                continue;
            };
            let records = records
                .iter()
                .filter_map(|line| Record::parse(line, &zone).ok()?);
            for record in records.filter(|it| lab.has_node(&it.name)) {
                let addresses = [RecordKind::A, RecordKind::Aaaa, RecordKind::Cname];
                if addresses.contains(&record.data.kind()) {
                    problems.add(site, || DnsProblem::NameOfNode {
                        zone: name.clone(),
                        name: record.name.as_str().to_owned(),
                    });
                }
            }
        }
    }
}
