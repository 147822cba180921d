//! Faults of a link, as methods of the link.

use std::sync::Arc;
use std::time::Duration;

use crate::impair::{Direction, Impairment};
use crate::lab::error::Result;
use crate::lab::faults::cut::Cut;
use crate::lab::faults::degrade::Degraded;
use crate::lab::faults::flap::flap;
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::faults::inject::refuse_idle;
use crate::lab::link::link::Link;
use crate::model::fault::Fault;

impl Link {
    /// Cuts the link: packets vanish in both directions, those under way too. No end notices: no
    /// carrier is lost and no interface goes down.
    ///
    /// The link is healed when the guard is dropped. A link that is cut twice is healed when both
    /// guards are dropped.
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
    ///
    /// # Errors
    /// The link was removed, or the kernel refuses the filter.
    pub fn cut(&self) -> Result<FaultGuard> {
        let cut = Cut::new(self.shared_state(), &Direction::BOTH)?;
        Ok(self.begin_fault(Fault::cut(self.name()), cut))
    }

    /// Cuts one direction: what is sent in this direction vanishes.
    ///
    /// # Errors
    /// The link was removed, or the kernel refuses the filter.
    pub fn cut_one_way(&self, direction: Direction) -> Result<FaultGuard> {
        let cut = Cut::new(self.shared_state(), &[direction])?;
        Ok(self.begin_fault(Fault::cut_one_way(self.name(), direction), cut))
    }

    /// Cuts and heals the link by turns until the guard is dropped: the link is cut for the first
    /// half of each period, and whole for the second.
    ///
    /// # Errors
    /// The period is shorter than [`Fault::SHORTEST_FLAP`], the link was removed, or the kernel
    /// refuses the filter.
    pub fn flap(&self, period: Duration) -> Result<FaultGuard> {
        let flap = flap(self.ends(), self.shared_state(), period)?;
        Ok(self.begin_fault(Fault::flap(self.name(), period), flap))
    }

    /// Makes the link worse for a while: delays and losses add up, and the lower rate holds. The
    /// link recovers when the guard is dropped; several degradations at once compose.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// let slow = link.degrade(Impairment::delayed(Duration::from_millis(200)))?;
    /// // … the service has to cope with it …
    /// drop(slow);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A value is not possible, the impairment changes nothing, or the engine that was asked for
    /// cannot do it. The link is as it was then.
    pub fn degrade(&self, worse: Impairment) -> Result<FaultGuard> {
        let fault = Fault::degrade(self.name(), worse.clone());
        refuse_idle(&fault)?;
        let degraded = Degraded::new(self.ends(), self.shared_state(), worse)?;
        Ok(self.begin_fault(fault, degraded))
    }

    fn begin_fault(&self, fault: Fault, healing: impl Healing + 'static) -> FaultGuard {
        let journal = Arc::clone(self.state().journal());
        FaultGuard::begin(&journal, fault, Box::new(healing))
    }
}
