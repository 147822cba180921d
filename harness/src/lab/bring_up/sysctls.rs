//! Sysctls of network stacks, in a stack whose node may have no process.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use crate::kernel::netns::Netns;
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
    match in_network(lab, stack, path, |file| std::fs::write(file, value)) {
        // A sysctl below net/ belongs to the network namespace, which is there even if no process
        // is.
        Some(written) => written.map_err(|e| {
            let whose = lab.plan().whose(stack);
            LabError::io(format!("set sysctl `{path}` to {value} on {whose}"), &e)
                .about(stack_subject(lab.plan(), stack))
        }),
        // Other sysctls belong to IPC or UTS namespaces, which only a process of the node can
        // write.
        None => member(lab, stack).map_or(Ok(()), |node| node.set(sysctl)),
    }
}

/// Returns the value of a sysctl of the network at present, if it can be read.
pub(crate) fn read(lab: &Lab, stack: StackId, path: &str) -> Option<String> {
    let read = in_network(lab, stack, path, |file| std::fs::read_to_string(file))?;
    Some(read.ok()?.trim().to_owned())
}

/// Does something with a sysctl of a network namespace. Returns nothing for other sysctls.
fn in_network<T: Send>(
    lab: &Lab,
    stack: StackId,
    path: &str,
    work: impl FnOnce(&Path) -> io::Result<T> + Send,
) -> Option<io::Result<T>> {
    // A removed stack has nothing to write.
    let netns = lab.stack(stack).netns()?;
    let file = path
        .starts_with("net/")
        .then(|| Path::new("/proc/sys").join(path))?;
    // /proc/sys/net shows the network namespace of the thread that looks: network_namespaces(7). So
    // the test's own mount of /proc will do.
    let done = Netns::visit(netns.as_fd(), || work(&file));
    Some(done.unwrap_or_else(|errno| Err(errno.into())))
}

/// Returns a node that lives in the stack and runs.
fn member(lab: &Lab, stack: StackId) -> Option<&Node> {
    let lives = |node: &&Arc<Node>| Arc::ptr_eq(node.stack(), lab.stack(stack));
    let mut nodes = lab.all_nodes().iter().filter(lives);
    nodes.find(|node| node.is_running()).map(Arc::as_ref)
}
