//! What all trials of a host or of a user share: budgets that run out, and settings that show
//! through.

use crate::kernel::netlink::{NeighbourTable, Netlink, SharedTable};

use super::finding::{Evidence, Finding};
use crate::runner::{most_users, usual_threads};
use crate::sandbox::budgets;
use crate::sandbox::inherited::{self, Unchangeable};

/// Number of neighbours that a kernel learns by default (`arp(7)`, gc_thresh3), which is enough for
/// small labs on a machine of many cores.
const ENOUGH_NEIGHBOURS: u32 = 1024;

/// Returns the findings about what trials share.
pub(super) fn findings() -> Vec<Finding> {
    let (limit, users) = (budgets::inotify_limit(), most_users());
    let mut findings = vec![inotify(limit, users, usual_threads())];
    let tables = Netlink::open().and_then(|mut netlink| netlink.neighbour_tables());
    findings.extend(tables.unwrap_or_default().iter().map(neighbours));
    findings.push(settings(&inherited::unchangeable()));
    findings
}

/// Judges the number of inotify instances of a user, where trials are divided among so many.
fn inotify(limit: Option<u64>, users: u64, threads: usize) -> Finding {
    let name = "inotify_instances";
    let value = limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let evidence = Evidence::read(budgets::INOTIFY_LIMIT, value);
    let needed = threads as u64 * budgets::INOTIFY_PER_TRIAL;
    match limit {
        Some(limit) if limit / budgets::INOTIFY_PER_TRIAL * users < threads as u64 => {
            Finding::degraded(name, evidence)
                .lost(format!(
                    "as many trials at a time as usual: {} instead of {threads}",
                    (limit / budgets::INOTIFY_PER_TRIAL * users).max(1)
                ))
                .fix(budgets::more_inotify(2 * needed))
        }
        Some(_) | None => Finding::ok(name, evidence),
    }
}

fn neighbours(table: &SharedTable) -> Finding {
    let (name, family) = match table.table {
        NeighbourTable::Arp => ("neighbours_ipv4", "ipv4"),
        NeighbourTable::Ndisc => ("neighbours_ipv6", "ipv6"),
    };
    let setting = format!("net.{family}.neigh.default.gc_thresh3");
    let evidence = Evidence::read(&setting, table.most.to_string());
    if table.most >= ENOUGH_NEIGHBOURS {
        return Finding::ok(name, evidence);
    }
    Finding::degraded(name, evidence)
        .lost("labs whose nodes learn many neighbours, at a time: connections time out")
        .fix(format!("sudo sysctl -w {setting}=16384"))
}

/// Judges settings of the host that trials and nodes cannot change.
fn settings(unchangeable: &[Unchangeable]) -> Finding {
    let name = "host_settings";
    let list = |part: fn(&Unchangeable) -> String, between: &str| {
        let parts: Vec<String> = unchangeable.iter().map(part).collect();
        parts.join(between)
    };
    if unchangeable.is_empty() {
        return Finding::ok(name, Evidence::read("settings that show through", "none"));
    }
    let shown = list(|it| format!("{} = {}", it.name, it.value), ", ");
    let usual = list(|it| format!("{} = {}", it.name, it.usual), ", ");
    Finding::degraded(name, Evidence::read("settings that show through", shown))
        .lost(format!(
            "the same results as on other hosts, which have {usual}"
        ))
        .fix(list(|it| it.remedy.clone(), "; "))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_machine_of_many_cores_needs_more_inotify_instances() {
        assert_eq!(inotify(Some(128), 1, 8).state, State::Ok);
        assert_eq!(inotify(None, 1, 512).state, State::Ok);
        assert_eq!(inotify(Some(128), 8, 256).state, State::Ok);
        let few = inotify(Some(128), 1, 256);
        assert_eq!(few.state, State::Degraded);
        assert!(few.lost.unwrap().contains("32 instead of 256"));
        assert_eq!(
            few.fix.as_deref(),
            Some("sudo sysctl -w fs.inotify.max_user_instances=2048")
        );
    }

    #[test]
    fn a_setting_that_shows_through_comes_with_its_remedy() {
        assert_eq!(settings(&[]).state, State::Ok);
        let shown = settings(&[Unchangeable {
            name: "net.core.rmem_max".to_owned(),
            value: "1".to_owned(),
            usual: "212992".to_owned(),
            remedy: "sudo sysctl -w net.core.rmem_max=212992".to_owned(),
        }]);
        assert_eq!(shown.state, State::Degraded);
        assert!(shown.fix.unwrap().ends_with("rmem_max=212992"));
    }
}
