//! Limits of the system: on namespaces, open files and processes.

use crate::kernel::errno::Errno;
use crate::kernel::process::limits;

use super::finding::{Evidence, Finding};
use crate::kernel::procfs::sysctls;
use crate::remedy::namespace_limit;
use crate::sandbox::namespace_limits::NAMESPACE_KINDS;
use crate::sandbox::refused::Refused;

/// Number of namespaces that is enough for what runs at a time on a big machine, and for what is
/// being destroyed meanwhile.
const ENOUGH_NAMESPACES: u64 = 256;
/// Number of processes that is enough for a lab of a hundred nodes with a few processes each.
const ENOUGH_PROCESSES: u64 = 1024;

/// Returns the kinds of namespaces that each trial has of its own.
fn kinds() -> impl Iterator<Item = &'static str> {
    NAMESPACE_KINDS.into_iter().map(|(_, kind)| kind)
}

fn setting(kind: &str) -> String {
    format!("user.max_{kind}_namespaces")
}

fn limit(kind: &str) -> String {
    sysctls::read(&format!("user/max_{kind}_namespaces")).unwrap_or_default()
}

/// Returns the kinds of namespaces of which too few are permitted.
pub(super) fn scarce() -> Vec<&'static str> {
    let few = |kind: &str| {
        limit(kind)
            .parse()
            .is_ok_and(|limit: u64| limit < ENOUGH_NAMESPACES)
    };
    kinds().filter(|kind| few(kind)).collect()
}

/// Finds out whether enough namespaces of each kind are permitted.
pub(super) fn namespaces() -> Vec<Finding> {
    kinds().map(|kind| limited(kind, &limit(kind))).collect()
}

fn limited(kind: &str, value: &str) -> Finding {
    let name = setting(kind);
    let evidence = Evidence::read(&name, value);
    let fix = format!("sudo sysctl -w {}", namespace_limit(kind));
    let finding = match value.parse() {
        Ok(0) => Finding::missing(name, evidence)
            .lost(format!("all: each trial has a {kind} namespace of its own"))
            .fix(fix),
        Ok(few) if few < ENOUGH_NAMESPACES => Finding::degraded(name, evidence)
            .lost("trials wait for each other's namespaces, and large labs fail with ENOSPC")
            .fix(fix),
        _ => Finding::ok(name, evidence),
    };
    finding.essential()
}

/// Finds out whether enough files and processes are permitted.
pub(super) fn resources() -> Vec<Finding> {
    vec![open_files(), processes()]
}

fn open_files() -> Finding {
    match limits::open_files() {
        Ok((soft, hard)) => files(soft, hard, crate::runner::descriptors(None)),
        Err(errno) => Finding::degraded("open_files", Evidence::refused(&refused(errno))),
    }
}

/// Judges the limits of open files. The runner raises the soft limit by itself, up to the hard one.
fn files(soft: u64, hard: u64, wanted: u64) -> Finding {
    let evidence = Evidence::read("RLIMIT_NOFILE", format!("{soft} of at most {hard}"));
    if hard >= wanted {
        return Finding::ok("open_files", evidence);
    }
    Finding::degraded("open_files", evidence)
        .lost(format!("as many trials at a time as usual: they need {wanted} descriptors, and with fewer --test-threads less"))
        .fix("sudo prlimit --pid $$ --nofile=65536:65536")
}

fn refused(errno: Errno) -> Refused {
    Refused {
        step: "getrlimit".into(),
        errno,
    }
}

fn processes() -> Finding {
    match limits::processes() {
        Ok((soft, hard)) => few_processes(soft, hard),
        Err(errno) => Finding::degraded("processes", Evidence::refused(&refused(errno))),
    }
}

fn few_processes(soft: u64, hard: u64) -> Finding {
    let shown = |number| match number {
        u64::MAX => "unlimited".to_owned(),
        number => number.to_string(),
    };
    let value = format!("{} of at most {}", shown(soft), shown(hard));
    let evidence = Evidence::read("RLIMIT_NPROC", value);
    if soft >= ENOUGH_PROCESSES {
        return Finding::ok("processes", evidence);
    }
    let fix = match hard >= ENOUGH_PROCESSES {
        true => format!("ulimit -u {}", shown(hard)),
        false => "sudo prlimit --pid $$ --nproc=unlimited:unlimited".to_owned(),
    };
    Finding::degraded("processes", evidence)
        .lost("large labs: all of a user's processes count, on the whole machine")
        .fix(fix)
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_limit_on_namespaces_is_enough_low_or_zero() {
        let none = limited("net", "0");
        assert_eq!(none.exit_code(), 2);
        assert_eq!(none.name, "user.max_net_namespaces");
        assert_eq!(
            none.fix.as_deref(),
            Some("sudo sysctl -w user.max_net_namespaces=15000")
        );
        assert_eq!(limited("net", "64").state, State::Degraded);
        assert_eq!(limited("net", "96365").state, State::Ok);
        assert_eq!(
            limited("net", "").state,
            State::Ok,
            "an old kernel has no such limit"
        );
    }

    #[test]
    fn only_the_hard_limit_of_open_files_counts() {
        assert_eq!(files(20, 4096, 128).state, State::Ok);
        let few = files(40, 40, 128);
        assert_eq!(few.state, State::Degraded);
        assert!(few.lost.unwrap().contains("128"));
    }

    #[test]
    fn the_soft_limit_of_processes_is_raised_as_far_as_it_goes() {
        assert_eq!(few_processes(u64::MAX, u64::MAX).state, State::Ok);
        let soft = few_processes(10, 5000);
        assert_eq!(soft.fix.as_deref(), Some("ulimit -u 5000"));
        assert!(few_processes(10, 10).fix.unwrap().starts_with("sudo"));
    }
}
