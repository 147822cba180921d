//! What is done to the packets of a link, and how many passed.

use crate::impair::{Asymmetric, Counters, Direction, Impairment};
use crate::lab::error::Result;
use crate::lab::link::link::Link;

impl Link {
    /// Changes what is done to packets in both directions. The change is in force for packets that
    /// are sent after this function returns; packets under way arrive as it was decided.
    ///
    /// An [`Impairment`] holds for both directions. Of an [`Asymmetric`] preset, the link's first
    /// end is the one that has the access. [`Impairment::NONE`] mends the link.
    ///
    /// A plain link gets another [carrier](Link::carrier) the first time. What stands on the
    /// interfaces is there afterwards. What do programs see?
    ///
    /// - At a switch: nothing. The node's interface stays up and keeps its carrier.
    /// - Between two nodes, at one of them: the interface loses its carrier for some milliseconds,
    ///   and nothing else. The end that is kept so is the one at which there are packet sockets
    ///   (tcpdump, DHCP), interfaces of programs (macvlan, VLAN, VXLAN) or multicast routing, or
    ///   else the one that has temporary addresses of IPv6, or whose node follows connections
    ///   (NAT), or which is a port of a bridge or a bond of its node, or to which more was added.
    /// - Between two nodes, at the other one: the interface is deleted and made again with the same
    ///   name, index, addresses, routes, neighbours, queueing disciplines, filters, memberships,
    ///   offloads, sysctls and settings as a port of a bridge, and `ip monitor` shows that. A
    ///   temporary address of IPv6 stays as an ordinary one, beside a new temporary one.
    ///   Connections and bound sockets go on. nftables chains and flowtables on the interface
    ///   itself are lost on Linux before 6.16. The kernel has to learn MTUs of paths again.
    ///
    /// Where both interfaces would have to be kept, the error says so: ask for
    /// [`Engine::Wire`](crate::topology::Engine) in the topology then.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::impair::preset;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// link.impair(preset::lte())?;
    /// link.impair(Impairment { loss: Percent(5.0), ..preset::wifi() })?;
    /// link.impair(Impairment::NONE)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A value is not possible, or the engine that was asked for cannot do it. The error names the
    /// link and the value, and the link is as it was. Where the kernel refuses a step of the change
    /// itself, the error names the step, and the link may be gone
    /// ([`LabErrorKind::Refused`](crate::lab::LabErrorKind)).
    pub fn impair(&self, impairment: impl Into<Asymmetric>) -> Result<()> {
        let Asymmetric { up, down } = impairment.into();
        self.state().ask([up, down])
    }

    /// Changes what is done to packets in one direction. The other direction stays as it is.
    ///
    /// # Errors
    /// As [`impair`](Link::impair).
    pub fn impair_one_way(&self, direction: Direction, impairment: &Impairment) -> Result<()> {
        let mut state = self.state();
        // The values are read and written under one lock: two threads may change one direction
        // each.
        let mut asked = state.asked().clone();
        asked[direction.index()] = impairment.clone();
        state.ask(asked)
    }

    /// Returns what is done to packets in a direction: the impairment that was asked for, made
    /// worse by all that [degrades](Link::degrade) the link.
    pub fn impairment(&self, direction: Direction) -> Impairment {
        self.state().wanted(direction)
    }

    /// Returns what has passed in a direction since the link has its [carrier](Link::carrier).
    ///
    /// - The userspace wire counts each packet by its cause, and its books balance.
    /// - The books of netem balance too. But netem tells of its losses only in sum: they count as
    ///   losses by chance where there is a chance, else as losses of a full queue. It does not tell
    ///   what was corrupted, and the longest queue is only known for the moments at which somebody
    ///   asked.
    /// - For a plain link, the kernel knows what was sent and received, and what was lost during
    ///   cuts. A super-frame of 64 KB counts as one packet there.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::impair::{Cause, Direction};
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// let counters = link.counters(Direction::AToB)?;
    /// let lost = counters.lost.by(Cause::Loss);
    /// println!("{} sent, {lost} of them lost by chance", counters.sent);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The link was removed, or the kernel refuses to tell.
    pub fn counters(&self, direction: Direction) -> Result<Counters> {
        self.state().counters(direction)
    }

    /// Makes the wire wait busily for the last moment before a packet is due. That is more exact,
    /// and takes a core. The userspace wire carries the link from then on.
    ///
    /// # Errors
    /// The link was removed, netem was asked for, or the kernel refuses the other carrier.
    pub fn spin(&self, on: bool) -> Result<()> {
        self.state()
            .require_wire("spinning")
            .map(|wire| wire.spin(on))
    }
}
