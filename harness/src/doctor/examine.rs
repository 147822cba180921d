//! The examination of a machine: which findings, and in which order.

use super::host::{self, Machine};
use super::report::Report;
use super::{cgroup, fixtures, ids, limits, sandbox, shared};

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
    let machine = Machine::look();
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
    findings.extend(shared::findings());
    findings.push(cgroup::finding(refusal.as_ref()));
    findings.push(fixtures::finding());
    Report { findings }
}
