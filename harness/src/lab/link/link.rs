//! A link of a running lab, as a test sees it: name, carrier, up and down.
//!
//! `impair` holds what is done to the packets of a link, `observe` how a test looks at them, and
//! `faults::on_links` what breaks a link for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kernel::sync::{Guard, Lock};
use crate::lab::error::Result;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::services::LinkServices;
use crate::lab::link::state::LinkState;
use crate::lab::stack::power::PluggedCable;
use crate::model::carrier::Carrier;
use crate::model::fault::LinkRef;
use crate::model::side::Side;
use crate::observe::CapturedInterfaces;
use crate::topology::LinkId;
use crate::topology::plan::Plan;

/// A link of a running lab; see [`Lab`](crate::lab::Lab).
#[derive(Debug)]
pub struct Link {
    id: LinkId,
    ends: LinkEnds,
    removed: AtomicBool,
    state: Arc<Lock<LinkState>>,
    captured: CapturedInterfaces,
}

impl Link {
    pub(crate) fn new(ends: LinkEnds, active: ActiveCarrier, services: LinkServices) -> Self {
        let state = LinkState::new(ends.clone(), active, services.clone());
        let state = Arc::new(Lock::new(state));
        let cable: Arc<dyn PluggedCable> = Arc::clone(&state) as _;
        services.add_cable(&cable);
        for stack in Side::BOTH.into_iter().filter_map(|side| ends.stack(side)) {
            stack.plug(&cable);
        }
        Self {
            id: ends.link(),
            state,
            ends,
            removed: AtomicBool::new(false),
            captured: CapturedInterfaces::default(),
        }
    }

    /// Takes over what a changed plan says of the link.
    pub(crate) fn refresh(&mut self, plan: &Plan) -> Result<()> {
        self.ends.refresh(plan);
        self.state().set_ends(self.ends.clone())
    }

    pub(crate) fn ends(&self) -> &LinkEnds {
        &self.ends
    }

    pub(crate) fn state(&self) -> Guard<'_, LinkState> {
        self.state.lock()
    }

    /// Returns the state for a guard, which may outlive the link.
    pub(crate) fn shared_state(&self) -> &Arc<Lock<LinkState>> {
        &self.state
    }

    pub(crate) fn captured(&self) -> &CapturedInterfaces {
        &self.captured
    }

    /// Returns the id of the link in the topology.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Returns the name of the link: `alice–bob`, unless the link was given a name.
    pub fn name(&self) -> &str {
        self.ends.name()
    }

    /// Returns what carries the packets of the link at present.
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
        self.state().carrier()
    }

    /// Returns whether the link was taken down by [`down`](Link::down).
    pub fn is_down(&self) -> bool {
        self.state().is_down()
    }

    /// Pulls the cable: nothing passes until [`up`](Link::up).
    ///
    /// Between two nodes, both interfaces go down, with their routes. An interface at a switch
    /// loses its carrier. On a link that is [cut](Link::cut) packets vanish, and no end notices.
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
    ///
    /// # Errors
    /// The kernel refuses to take an interface down.
    pub fn down(&self) -> Result<()> {
        self.state().take_down()
    }

    /// Puts the cable back, and returns when packets pass again. A node that was looking for a
    /// neighbour meanwhile finds it within a second, as on any Ethernet.
    ///
    /// # Errors
    /// The kernel refuses to bring an interface up, or no packet passes in time.
    pub fn up(&self) -> Result<()> {
        self.state().bring_up()
    }

    /// Takes the link away for good.
    pub(crate) fn remove(&self) -> Result<()> {
        // Removed once: a node that is removed takes its links along, removed ones too.
        if self.removed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.state().remove()
    }

    /// Plugs the port into the bridge of a changed plan, and returns when packets pass.
    pub(crate) fn replug(&self, port: Side) -> Result<()> {
        self.ends.replug(port)?;
        // A link that is down gets everything when it comes up.
        if self.is_down() {
            return Ok(());
        }
        self.ends.await_up(&self.ends.ends_that_go_down())
    }

    /// Teaches all switches behind which port the node is now.
    pub(crate) fn announce(&self) -> Result<()> {
        // A broadcast over a link that is down would be lost.
        if self.is_down() {
            return Ok(());
        }
        self.ends.announce()
    }

    /// Returns whether the interfaces of nodes are down with the link: at a switch only the port
    /// is.
    pub(crate) fn is_down_at_nodes(&self) -> bool {
        self.is_down() && self.ends.only_port().is_none()
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }
}

/// A link as the target of a fault.
impl From<&Link> for LinkRef {
    fn from(link: &Link) -> Self {
        Self::Id(link.id())
    }
}
