//! The end of a lab, and of what runs in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::EventKind;
use crate::kernel::process::signal::Signal;
use crate::lab::Lab;
use crate::lab::node::command::OnDrop;
use crate::lab::node::node::{Node, Stack};
use crate::lab::process::process::Running;
use crate::trial::running;

/// How long a program that was asked to end may take.
const GRACE: Duration = Duration::from_secs(1);

impl Drop for Lab {
    fn drop(&mut self) {
        let mut alive = Vec::new();
        for node in &self.nodes {
            node.report_surprises();
            node.stop_runtime();
            alive.extend(
                node.running()
                    .iter()
                    .filter(|running| running.ended().is_none())
                    .cloned(),
            );
        }
        terminate(&alive);
        let (nodes, stacks) = (
            std::mem::take(&mut self.nodes),
            std::mem::take(&mut self.stacks),
        );
        self.close_links();
        self.shared.visitors.dismiss();
        bury(nodes, stacks);
        // What they wrote last comes before the end of the trial.
        self.shared.pump.finish();
        self.shared.journal.close();
    }
}

impl Lab {
    /// Ends all wires, and says beside the verdict when the machine was too busy for what they promise.
    fn close_links(&mut self) {
        let (mut late, mut deliveries, mut links) = (0, 0, 0);
        let mut worst = (Duration::ZERO, String::new());
        for link in self.links.drain(..) {
            let Some(lateness) = link.middle().close() else {
                continue;
            };
            late += lateness.late;
            deliveries += lateness.deliveries;
            links += u32::from(lateness.late > 0);
            if lateness.worst > worst.0 {
                worst = (lateness.worst, link.name().to_owned());
            }
        }
        // One in a hundred, and enough of them to say so.
        if deliveries >= 100 && late * 100 > deliveries {
            let (worst, worst_link) = worst;
            self.shared.journal.record(EventKind::HostStarved {
                late,
                deliveries,
                links,
                worst,
                worst_link,
            });
        }
    }
}

/// So many nodes are killed at once before it is left to somebody else.
const FEW: usize = 16;

/// Kills what is left. The dying of many takes the kernel a while, in which nobody has to wait for it; but the trial does, at its
/// end.
fn bury(nodes: Vec<Node>, stacks: Vec<Arc<Stack>>) {
    let few = nodes.len() <= FEW;
    let kill = move || {
        for node in &nodes {
            node.mark_removed();
            node.kill();
        }
        stacks.iter().for_each(|stack| stack.remove());
    };
    if few {
        return kill();
    }
    // Without a thread, the nodes notice by themselves that nobody asks for anything any more.
    if let Ok(thread) = std::thread::Builder::new()
        .name("lab end".to_owned())
        .spawn(kill)
    {
        running::wait_at_the_end(thread);
    }
}

/// Asks them to end, and waits a while until they have.
pub(crate) fn terminate(alive: &[Arc<Running>]) {
    let asked = alive
        .iter()
        .filter(|running| running.on_drop == OnDrop::Terminate);
    for running in asked.clone() {
        running.expect();
        let _ = running.signal(Signal::SIGTERM as i32);
        // It may be paused.
        let _ = running.signal(Signal::SIGCONT as i32);
    }
    let deadline = Instant::now() + GRACE;
    for running in asked {
        let _ = running.ended_by(Some(deadline));
    }
    alive.iter().for_each(|running| running.expect());
}

impl Node {
    /// Says which programs ended without anybody having expected it.
    pub(crate) fn report_surprises(&self) {
        for running in self.running().iter() {
            if let Some(sentence) = running.surprise() {
                running::complain(sentence);
            }
        }
    }

    pub(crate) fn stop_runtime(&self) {
        #[cfg(feature = "tokio")]
        drop(
            self.runtime
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .take(),
        );
    }
}
