//! What this machine lacks for tests, and the command that mends it.
//!
//! A refusal deep in a test says little of its cause: a sysctl, a container, a kernel module. So
//! each thing that tests may need is tried here, for real, in a sandbox that is thrown away; what
//! cannot be tried without leaving a trace is read. Nothing of the host changes.
//!
//! ```no_run
//! use snowglobe::doctor::{self, State};
//!
//! let report = doctor::examine();
//! for finding in report.findings.iter().filter(|finding| finding.state != State::Ok) {
//!     println!("{}: {}", finding.name, finding.evidence);
//! }
//! std::process::exit(report.exit_code().into());
//! ```
//!
//! [`cli`] is the command line that `cargo xtask doctor` is, for an xtask of your own.

mod cgroup;
mod cli;
mod finding;
mod fix;
mod fixtures;
mod github;
mod host;
mod ids;
mod limits;
mod sandbox;
mod table;

use serde::Serialize;

pub use cli::cli;
pub use finding::{Evidence, Finding, State};

/// All that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// In a fixed order; the same names on every machine.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The finding of this name.
    pub fn find(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.name == name)
    }

    /// 0 if all is well, 1 if something is degraded or missing, 2 if what is missing is essential:
    /// no trial can run then.
    pub fn exit_code(&self) -> u8 {
        let worst = self.findings.iter().map(Finding::exit_code);
        worst.max().unwrap_or(0)
    }
}

/// Examines this machine, as the calling process sees it.
///
/// # Panics
/// While other threads run: they would be lost in the forks. Call it early in `main`.
///
/// ```no_run
/// let report = snowglobe::doctor::examine();
/// assert!(report.find("veth").is_some_and(|veth| veth.fix.is_none()));
/// ```
pub fn examine() -> Report {
    assert!(
        crate::kernel::process::clone::single_threaded(),
        "snowglobe::doctor::examine() was called while other threads run"
    );
    let machine = host::Machine::look();
    let sandboxes = sandbox::essentials(&machine);
    let works = sandbox::first_refusal(&sandboxes).is_none();
    let mut findings = host::findings(&machine, works);
    findings.extend(limits::namespaces());
    findings.extend(sandbox::policies(&machine, &sandboxes));
    findings.extend(sandboxes);
    let refusal = sandbox::first_refusal(&findings).cloned();
    findings.extend(sandbox::features(&machine, refusal.as_ref()));
    findings.extend(ids::findings(&machine, refusal.as_ref()));
    findings.extend(limits::resources());
    findings.push(cgroup::finding(refusal.as_ref()));
    findings.push(fixtures::finding());
    Report { findings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(states: &[(State, bool)]) -> Report {
        let findings = states.iter().map(|(state, essential)| {
            let finding = Finding::new("x", *state, Evidence::read("y", "z"));
            if *essential {
                finding.essential()
            } else {
                finding
            }
        });
        Report {
            findings: findings.collect(),
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        let ok = (State::Ok, true);
        assert_eq!(report(&[ok]).exit_code(), 0);
        assert_eq!(report(&[ok, (State::Degraded, true)]).exit_code(), 1);
        assert_eq!(report(&[ok, (State::Missing, false)]).exit_code(), 1);
        let worst = [(State::Missing, true), (State::Degraded, false)];
        assert_eq!(report(&worst).exit_code(), 2);
    }
}
