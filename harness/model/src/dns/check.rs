//! What is wrong with the name servers of a topology.

use std::collections::{HashMap, HashSet};

use crate::dns::dns64::Dns64Spec;
use crate::dns::kind::RecordKind;
use crate::dns::lab_names::LabNames;
use crate::dns::name::DomainName;
use crate::dns::record::Record;
use crate::dns::spec::{DnsSpec, Zone};
use crate::plan::Plan;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::name::show;

/// The most lines of a zone. Each is kept and judged.
const LINES: usize = 1_000_000;

/// Checks one server. `lab` has the names of the nodes, if the topology is whole.
pub(crate) fn check(spec: &DnsSpec, site: Site, place: &str, problems: &mut Problems) {
    if let Some(wrong) = spec.dns64.as_ref().and_then(Dns64Spec::wrong) {
        problems.add_refused(site, &format!("the DNS64 of {place} cannot be"), wrong);
    }
    let mut zones: HashSet<DomainName> = HashSet::new();
    for Zone { name, records } in &spec.zones {
        let zone = match DomainName::absolute(name) {
            Ok(zone) => zone,
            Err(wrong) => {
                problems.add_caused(Kind::Invalid, site, wrong, |wrong| {
                    format!("zone {} of {place} {wrong}", show(name))
                });
                continue;
            }
        };
        if !zones.insert(zone.clone()) {
            problems.add(Kind::Conflict, site, || {
                format!(
                    "{place} has zone {} twice; put all records into one",
                    show(name)
                )
            });
        }
        if records.len() > LINES {
            problems.add(Kind::TooLarge, site, || {
                format!("zone {} of {place} has more than {LINES} lines", show(name))
            });
            continue;
        }
        check_records(&zone, records, site, place, problems);
    }
}

fn check_records(
    zone: &DomainName,
    lines: &[String],
    site: Site,
    place: &str,
    problems: &mut Problems,
) {
    let shown = show(zone.as_str());
    let mut seen: HashSet<Record> = HashSet::new();
    let mut kinds: HashMap<DomainName, HashSet<RecordKind>> = HashMap::new();
    for line in lines {
        let record = match Record::parse(line, zone) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(wrong) => {
                problems.add_caused(Kind::Invalid, site, wrong, |wrong| {
                    format!("zone {shown} of {place}: line {} {wrong}", show(line))
                });
                continue;
            }
        };
        if !record.name.is_in(zone) {
            problems.add(Kind::Invalid, site, || {
                format!(
                    "zone {shown} of {place}: line {} names {}, which is not in the zone",
                    show(line),
                    show(record.name.as_str())
                )
            });
            continue;
        }
        let unaged = Record {
            ttl: None,
            ..record.clone()
        };
        if !seen.insert(unaged) {
            problems.add(Kind::Conflict, site, || {
                format!("zone {shown} of {place} has record {} twice", show(line))
            });
        }
        let others = kinds.entry(record.name.clone()).or_default();
        let kind = record.data.kind();
        let alias = others.contains(&RecordKind::Cname) || kind == RecordKind::Cname;
        if alias && !others.is_empty() {
            problems.add(Kind::Conflict, site, || {
                format!(
                    "zone {shown} of {place}: {} is an alias (CNAME), and has another record in line {}; an alias has no other (RFC 1034, section 3.6.2)",
                    show(record.name.as_str()),
                    show(line)
                )
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
                    problems.add(Kind::Conflict, site, || {
                        format!(
                            "zone {} gives an address to {}, which is a node of the lab; take another name, or the alias away",
                            show(name),
                            show(record.name.as_str())
                        )
                    });
                }
            }
        }
    }
}
