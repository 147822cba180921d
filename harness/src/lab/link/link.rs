//! A link of a running lab.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kernel::netlink::Batch;
use crate::lab::error::Result;
use crate::lab::link::ends::Line;
use crate::lab::link::state::{Carried, Middle};
use crate::lab::shared::Shared;
use crate::model::carrier::Carrier;
use crate::model::side::Side;
use crate::observe::CapturedInterfaces;
use crate::topology::LinkId;
use crate::topology::plan::Plan;

/// A link: see [`Lab`](crate::lab::Lab).
#[derive(Debug)]
pub struct Link {
    id: LinkId,
    pub(crate) line: Line,
    removed: AtomicBool,
    pub(crate) middle: Arc<Mutex<Middle>>,
    pub(crate) captured: CapturedInterfaces,
}

impl Link {
    pub(crate) fn new(line: Line, carried: Carried, shared: &Arc<Shared>) -> Link {
        Link {
            id: line.link(),
            middle: Arc::new(Mutex::new(Middle::new(line.clone(), carried, shared))),
            line,
            removed: AtomicBool::new(false),
            captured: CapturedInterfaces::default(),
        }
    }

    /// Takes note of a plan that has changed.
    pub(crate) fn refresh(&mut self, plan: &Plan) {
        self.line.refresh(plan);
        self.middle().line = self.line.clone();
    }

    pub(crate) fn middle(&self) -> MutexGuard<'_, Middle> {
        self.middle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its id in the topology.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Its name for people: `alice–bob`, unless it was given one.
    pub fn name(&self) -> &str {
        &self.line.cable.name
    }

    /// Who carries its packets at present.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::lab::Carrier;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// assert_eq!(link.carrier(), Carrier::Veth);
    /// link.impair(Impairment::delayed(Duration::from_millis(10)))?;
    /// println!("{}", link.carrier()); // netem, or the userspace wire
    /// # Ok(())
    /// # }
    /// ```
    pub fn carrier(&self) -> Carrier {
        self.middle().carried.carrier()
    }

    /// Whether it was taken down by [`down`](Link::down).
    pub fn is_down(&self) -> bool {
        self.middle().down
    }

    /// Pulls the cable: nothing passes until [`up`](Link::up). Between two nodes, both interfaces go down, with their routes; an
    /// interface at a switch loses its carrier. See [`cut`](Link::cut) for a link on which packets vanish without anybody being told.
    ///
    /// ```no_run
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let cable = lab.links().next().unwrap();
    /// cable.down()?;
    /// let (a, b) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    /// assert!(a.run(|| std::net::TcpStream::connect((b.ip(), 80))).is_err());
    /// cable.up()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn down(&self) -> Result<()> {
        let mut middle = self.middle();
        if middle.down {
            return Ok(());
        }
        for side in self.line.switched() {
            let mut batch = Batch::new();
            batch.set_down(self.line.device(side));
            self.line.execute(side, batch)?;
        }
        middle.set_carriers(false)?;
        middle.down = true;
        Ok(())
    }

    /// Puts the cable back; returns when packets pass again. Who was looking for a neighbour meanwhile finds it within a second, as on
    /// any Ethernet.
    pub fn up(&self) -> Result<()> {
        let mut middle = self.middle();
        if !middle.down {
            return Ok(());
        }
        middle.set_carriers(true)?;
        for side in self.line.switched() {
            self.line.raise(side)?;
        }
        middle.down = false;
        self.line.await_up(&self.line.switched())
    }

    /// Takes it away for good.
    pub(crate) fn remove(&self) -> Result<()> {
        if self.removed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.middle().remove()
    }

    /// Plugs it into the bridge that it is in by now, and returns when packets pass; the plan that says so is noted already.
    pub(crate) fn replug(&self, side: Side) -> Result<()> {
        self.line.replug(side)?;
        match self.is_down() {
            true => Ok(()),
            false => self.line.await_up(&self.line.switched()),
        }
    }

    /// Lets all switches hear from the node where it is plugged in now: they remember where it was.
    pub(crate) fn announce(&self) -> Result<()> {
        match self.is_down() {
            true => Ok(()),
            false => self.line.announce(),
        }
    }

    /// Whether an interface of a node is down with it: at a switch it is not.
    pub(crate) fn is_down_at_nodes(&self) -> bool {
        self.is_down() && self.line.switched().len() == 2
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }
}
