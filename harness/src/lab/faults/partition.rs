//! Faults: packets that vanish for as long as a guard lives.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::impair::Direction;
use crate::kernel::netlink::Device;
use crate::kernel::nft::{DropFrom, IngressDrop};
use crate::lab::Lab;
use crate::lab::error::{LabError, Result};
use crate::lab::link::ends::{Line, Plug};
use crate::lab::link::link::Link;
use crate::lab::link::state::{Carried, Middle};
use crate::lab::node::node::Stack;
use crate::lab::shared::Shared;
use crate::model::side::Side;
use crate::topology::NodeId;
use crate::topology::plan::StackId;
use crate::trial::running;

impl Link {
    /// Cuts the link: packets vanish in both directions, those under way too, and nobody is told: no carrier is lost, no interface goes
    /// down. It is healed when the guard is dropped; a link that is cut twice is healed when both are.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// let cut = link.cut()?;
    /// // … the leader is not heard any more …
    /// cut.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cut(&self) -> Result<Cut> {
        Cut::make(&self.middle, &Direction::BOTH)
    }

    /// Cuts one direction: what is sent in it vanishes.
    pub fn cut_one_way(&self, direction: Direction) -> Result<Cut> {
        Cut::make(&self.middle, &[direction])
    }

    /// Cuts and heals the link by turns until the guard is dropped: cut for the first half of each period, whole for the second.
    ///
    /// # Errors
    /// The period is zero; or as those of [`cut`](Link::cut).
    pub fn flap(&self, period: Duration) -> Result<Flap> {
        if period.is_zero() {
            return Err(LabError::other(format!(
                "link `{}` cannot flap with a period of zero",
                self.name()
            )));
        }
        let first = self.cut()?;
        let (stop, stopped) = mpsc::channel();
        let middle = Arc::clone(&self.middle);
        let work = move || flap(&middle, first, period / 2, &stopped);
        let thread = std::thread::Builder::new().name("flap".to_owned());
        let thread = thread
            .spawn(work)
            .map_err(|e| LabError::io("start a thread that flaps a link", &e))?;
        Ok(Flap {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A link that is cut for as long as this lives: see [`Link::cut`].
#[derive(Debug)]
#[must_use = "the link is healed as soon as this is dropped"]
pub struct Cut {
    middle: Arc<Mutex<Middle>>,
    directions: Vec<Direction>,
}

impl Cut {
    fn make(middle: &Arc<Mutex<Middle>>, directions: &[Direction]) -> Result<Cut> {
        let mut cut = Cut {
            middle: Arc::clone(middle),
            directions: Vec::new(),
        };
        for direction in directions {
            let mut middle = middle.lock().unwrap_or_else(PoisonError::into_inner);
            middle.cut(*direction)?;
            cut.directions.push(*direction);
        }
        Ok(cut)
    }

    /// Heals it now, and says when that was refused.
    pub fn heal(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let directions = std::mem::take(&mut self.directions);
        let mut middle = self.middle.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(middle.carried, Carried::Nobody) {
            return Ok(());
        }
        let healed = directions.into_iter().map(|it| middle.heal(it));
        healed.fold(Ok(()), Result::and)
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        complain(self.end());
    }
}

fn complain(done: Result<()>) {
    if let Err(error) = done {
        running::complain(format!("a fault could not be healed: {error}"));
    }
}

/// A link that is cut and healed by turns for as long as this lives: see [`Link::flap`].
#[derive(Debug)]
#[must_use = "the link is healed as soon as this is dropped"]
pub struct Flap {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn flap(middle: &Arc<Mutex<Middle>>, first: Cut, half: Duration, stopped: &mpsc::Receiver<()>) {
    let mut cut = Some(first);
    while stopped.recv_timeout(half) == Err(RecvTimeoutError::Timeout) {
        cut = match cut.take() {
            Some(cut) => {
                drop(cut);
                None
            }
            None => match Cut::make(middle, &Direction::BOTH) {
                Ok(cut) => Some(cut),
                Err(_) => return,
            },
        };
    }
}

impl Drop for Flap {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Lab {
    /// Parts the nodes of one side from those of the other, over whatever ways there are: none of them hears anything that comes from the other
    /// side, not even through nodes that are on neither. Nobody is told. It is healed when the guard is dropped; partitions, and cuts, compose.
    ///
    /// Interfaces and addresses count that the nodes have now.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::star(3).start()?;
    /// let ids: Vec<_> = lab.nodes().map(|node| node.id()).collect();
    /// let split = lab.partition(&ids[..1], &ids[1..])?;
    /// // … a minority must not take writes …
    /// split.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A node, or two containers of a pod, are on both sides.
    pub fn partition(&self, left: &[NodeId], right: &[NodeId]) -> Result<Partition> {
        let mut partition = self.partition_one_way(left, right)?;
        let mut back = self.partition_one_way(right, left)?;
        partition.sieves.append(&mut back.sieves);
        Ok(partition)
    }

    /// The same one way: nothing that `from` sends is heard by `to`.
    pub fn partition_one_way(&self, from: &[NodeId], to: &[NodeId]) -> Result<Partition> {
        let stacks = |nodes: &[NodeId]| -> BTreeSet<StackId> {
            let stack = |node: &NodeId| self.plan.nodes[node.index()].stack;
            nodes.iter().map(stack).collect()
        };
        let (from, to) = (stacks(from), stacks(to));
        if let Some(both) = from.intersection(&to).next() {
            let whose = self.plan.whose(*both);
            return Err(LabError::other(format!(
                "{whose} cannot be on both sides of a partition"
            )));
        }
        let interfaces = || from.iter().flat_map(|it| &self.plan[*it].interfaces);
        let addresses: Vec<IpAddr> = interfaces()
            .flat_map(|interface| &interface.addresses)
            .map(|address| address.ip)
            .collect();
        let macs: Vec<[u8; 6]> = interfaces().map(|interface| interface.mac).collect();
        let mut partition = Partition { sieves: Vec::new() };
        let lines = self.links().map(|link| &link.line);
        for (line, side) in lines.flat_map(|line| Side::BOTH.map(|side| (line, side))) {
            let Plug::Stack(stack, _) = &line.ends[side] else {
                continue;
            };
            let hears = to
                .iter()
                .any(|it| Arc::ptr_eq(stack, &self.stacks[it.index()]));
            if !hears {
                continue;
            }
            for from in [
                DropFrom::Macs(macs.clone()),
                DropFrom::Addresses(addresses.clone()),
            ] {
                let sieve = Arc::new(Sieve {
                    stack: Arc::clone(stack),
                    index: line.device(side).index,
                    from,
                    cut: Mutex::new(None),
                });
                sieve.place(line, side)?;
                self.shared.remember_sieve(&sieve);
                partition.sieves.push(sieve);
            }
        }
        Ok(partition)
    }
}

/// Nodes that do not hear each other for as long as this lives: see [`Lab::partition`].
#[derive(Debug)]
#[must_use = "the partition is healed as soon as this is dropped"]
pub struct Partition {
    sieves: Vec<Arc<Sieve>>,
}

impl Partition {
    /// Heals it now, and says when that was refused.
    pub fn heal(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let sieves = std::mem::take(&mut self.sieves);
        sieves
            .iter()
            .map(|sieve| sieve.end())
            .fold(Ok(()), Result::and)
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        complain(self.end());
    }
}

/// What an interface does not let in.
#[derive(Debug)]
pub(crate) struct Sieve {
    stack: Arc<Stack>,
    /// Of the interface.
    index: u32,
    from: DropFrom,
    cut: Mutex<Option<IngressDrop>>,
}

impl Sieve {
    /// Puts it at the interface, which may have been made anew.
    fn place(&self, line: &Line, side: Side) -> Result<()> {
        let made = IngressDrop::make(line.place(side)?.as_fd(), line.device(side), &self.from);
        let made = made.map_err(|e| LabError::network(line.whose(side), e))?;
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(())
    }

    fn end(&self) -> Result<()> {
        let cut = self
            .cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (Some(cut), Some(_)) = (cut, self.stack.netns()) else {
            return Ok(());
        };
        cut.heal().map_err(|e| LabError::network("a partition", e))
    }

    fn is_at(&self, stack: &Arc<Stack>, device: Device<'_>) -> bool {
        Arc::ptr_eq(&self.stack, stack) && self.index == device.index
    }
}

impl Shared {
    fn remember_sieve(&self, sieve: &Arc<Sieve>) {
        let mut sieves = self.sieves.lock().unwrap_or_else(PoisonError::into_inner);
        sieves.retain(|sieve| sieve.strong_count() > 0);
        sieves.push(Arc::downgrade(sieve));
    }

    /// Puts back what stood at the interfaces of a link that were made anew.
    pub(crate) fn restore_sieves(&self, line: &Line) -> Result<()> {
        let sieves = self.sieves.lock().unwrap_or_else(PoisonError::into_inner);
        for side in Side::BOTH {
            let Plug::Stack(stack, _) = &line.ends[side] else {
                continue;
            };
            let all = sieves.iter().filter_map(|sieve| sieve.upgrade());
            for sieve in all.filter(|sieve| sieve.is_at(stack, line.device(side))) {
                sieve.place(line, side)?;
            }
        }
        Ok(())
    }
}
