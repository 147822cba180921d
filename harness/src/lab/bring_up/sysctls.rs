//! Sysctls of network stacks, in a stack whose node may have no process.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::kernel::procfs::sysctls;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::lab::stack::stack::stack_subject;
use crate::topology::plan::{StackId, Sysctl};

/// Writes the sysctls of new interfaces.
pub(crate) fn write_new(lab: &Lab, new: &NewParts) -> Result<()> {
    for stack in lab.plan().stack_ids() {
        let interfaces = lab.plan()[stack].interfaces.iter();
        for interface in interfaces.filter(|interface| new.has_cable(interface.link)) {
            for sysctl in &interface.sysctls {
                write(lab, stack, sysctl)?;
            }
        }
    }
    Ok(())
}

/// Writes a sysctl of a stack. Sysctls outside of `net/` need a process of the stack, and are left
/// where there is none.
pub(crate) fn write(lab: &Lab, stack: StackId, sysctl: &Sysctl) -> Result<()> {
    let Sysctl { path, value } = sysctl;
    match network_of(lab, stack, path) {
        // A sysctl below net/ belongs to the network namespace, which is there even if no process
        // is.
        Some(netns) => sysctls::write_in(netns, path, value).map_err(|e| {
            let whose = lab.plan().whose(stack);
            let (path, value) = (path.clone(), value.clone());
            let what = NetworkAttempt::SetSysctl { path, value, whose };
            LabError::refused(what, e).about(stack_subject(lab.plan(), stack))
        }),
        // Other sysctls belong to IPC or UTS namespaces, which only a process of the node can
        // write.
        None => member(lab, stack).map_or(Ok(()), |node| node.set(sysctl)),
    }
}

/// Returns the value of a sysctl of the network at present, if it can be read.
pub(crate) fn read(lab: &Lab, stack: StackId, path: &str) -> Option<String> {
    sysctls::read_in(network_of(lab, stack, path)?, path).ok()
}

/// Returns the network namespace to which a sysctl of a stack belongs. Returns nothing for other
/// sysctls.
fn network_of<'l>(lab: &'l Lab, stack: StackId, path: &str) -> Option<BorrowedFd<'l>> {
    // A removed stack has nothing to write.
    let netns = lab.stack(stack).netns()?;
    path.starts_with("net/").then(|| netns.as_fd())
}

/// Returns a node that lives in the stack and runs.
fn member(lab: &Lab, stack: StackId) -> Option<&Node> {
    let lives = |node: &&Arc<Node>| Arc::ptr_eq(node.stack(), lab.stack(stack));
    let mut nodes = lab.all_nodes().iter().filter(lives);
    nodes.find(|node| node.is_running()).map(Arc::as_ref)
}
