//! The end of a lab, and of what runs in it.

use std::sync::Arc;
use std::time::Duration;

use crate::events::EventKind;
use crate::kernel::thread;
use crate::lab::lab::Lab;
use crate::lab::lab_dir::LabDir;
use crate::lab::node::ending::end_programs;
use crate::lab::node::node::Node;
use crate::lab::stack::stack::Stack;
use crate::sandbox::trial::body::{is_fork, tell_if_closed};
use crate::trial::running;

impl Drop for Lab {
    fn drop(&mut self) {
        // The lab is that of the test, whose threads are not in a process that the test has forked.
        if is_fork() {
            self.leave();
            return;
        }
        // The end of a lab closes descriptors, and a process that closes a descriptor twice aborts.
        // So the init gets the report of that first.
        tell_if_closed();
        // Nothing may break a node, or start one again, while the lab ends.
        self.schedules().stop_all();
        for node in self.all_nodes() {
            node.programs().report_surprises();
            // Futures end before the programs: a future that talks to one would fail.
            node.end_threads();
        }
        // All programs are asked at once, so that their time to end runs at the same time.
        let nodes: Vec<&Node> = self.all_nodes().iter().map(Arc::as_ref).collect();
        end_programs(&nodes);
        let (nodes, stacks) = (self.take_nodes(), self.take_stacks());
        // Wires end before namespaces, or their threads would meet interfaces that are gone.
        close_links(self);
        self.node_services().visitors().dismiss();
        kill_all(nodes, stacks, Arc::clone(self.dir()));
        // What programs wrote last is read before the trial ends.
        self.node_services().output_reader().finish();
        self.journal().close();
    }
}

/// Ends all wires, and records when the machine was too busy for what they promise.
fn close_links(lab: &mut Lab) {
    let (mut late, mut deliveries, mut links) = (0, 0, 0);
    let mut worst = (Duration::ZERO, String::new());
    for link in lab.take_links() {
        let Some(lateness) = link.state().close() else {
            continue;
        };
        late += lateness.late;
        deliveries += lateness.deliveries;
        links += u32::from(lateness.late > 0);
        if lateness.worst > worst.0 {
            worst = (lateness.worst, link.name().to_owned());
        }
    }
    // One packet in a hundred was late, and there were enough of them for a rate.
    if deliveries >= 100 && late * 100 > deliveries {
        let (worst, worst_link) = worst;
        lab.journal().record(EventKind::HostStarved {
            late,
            deliveries,
            links,
            worst,
            worst_link,
        });
    }
}

/// Number of nodes up to which the end of a lab waits for the kill.
const FEW: usize = 16;

/// Kills what is left. The end of many namespaces takes the kernel 0.1 to 0.5 s for 500 nodes
/// (measured for this project, 2026-08). Then a thread does it, and only the end of the trial
/// waits.
fn kill_all(nodes: Vec<Arc<Node>>, stacks: Vec<Arc<Stack>>, dir: Arc<LabDir>) {
    let few = nodes.len() <= FEW;
    let kill = move || {
        for node in &nodes {
            node.mark_removed();
            node.kill();
        }
        stacks.iter().for_each(|stack| stack.remove());
        // The directory goes last: nodes have parts of it mounted.
        drop(dir);
    };
    if few {
        return kill();
    }
    // Where no thread can be started, the closure is dropped, and with it the channels to the
    // nodes. Their first processes end when the other end of the channel is closed.
    if let Ok(thread) = thread::start("lab end", kill) {
        running::wait_at_the_end(thread);
    }
}
