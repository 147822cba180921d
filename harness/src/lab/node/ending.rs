//! The end of all programs in nodes, and of what they have left behind.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::kernel::message_channel::MessageChannel;
use crate::kernel::poll::wait_readable;
use crate::lab::attempt::NodeAttempt;
use crate::lab::node::node::Node;
use crate::lab::process::programs::terminate;
use crate::trial::time_scale::stretched;

/// Time between the request to end (`SIGTERM`) and the kill.
const GRACE: Duration = Duration::from_secs(1);

/// Asks everything that runs in some nodes to end, and waits a while until it has.
///
/// A daemon is no child of the program that the test has started: its parent has ended, and the
/// first process of the node is its parent now. Daemons are asked as programs are.
pub(crate) fn end_programs(nodes: &[&Node]) {
    // All nodes have one deadline, since they end at the same time.
    let deadline = Instant::now() + stretched(GRACE);
    let alive: Vec<_> = nodes
        .iter()
        .flat_map(|node| node.programs().alive())
        .collect();
    let mut asked = ask_orphans(nodes);
    terminate(&alive, deadline);
    if !alive.is_empty() {
        // Some programs have left processes behind just now.
        asked = ask_orphans(nodes);
    }
    for channel in asked {
        let left = deadline.saturating_duration_since(Instant::now());
        // What takes longer is killed with its node.
        let _ = wait_readable([channel.as_fd()], Some(left));
    }
}

/// Asks the orphans of each node in which a program was started. Each channel is readable when none
/// is left.
fn ask_orphans(nodes: &[&Node]) -> Vec<MessageChannel> {
    let used = nodes.iter().filter(|node| !node.programs().is_unused());
    used.filter_map(|node| {
        let asked =
            node.with_first_process(NodeAttempt::EndPrograms, |first| first.terminate_orphans());
        // A node that does not run has no processes.
        asked.ok()
    })
    .collect()
}
