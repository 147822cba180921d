//! What is done to the packets of a link, and how many passed.

use crate::impair::{Asymmetric, Counters, Direction, Impairment};
use crate::lab::error::Result;
use crate::lab::link::link::Link;

impl Link {
    /// Changes what is done to packets, in both directions; in force when it returns, for packets that are sent from then on. What is under way
    /// arrives as it was decided.
    ///
    /// An [`Impairment`] is for both directions; of an [`Asymmetric`] preset, the link's first end is the one who has the access.
    /// [`Impairment::NONE`] mends the link.
    ///
    /// A plain link gets another [carrier](Link::carrier) the first time: for a moment its interfaces are made anew, with all that they had. Connections
    /// survive; sockets that are bound to the interface itself do not. Ask for [`Engine::Wire`](crate::topology::Engine) in the topology where that matters.
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
    /// A value is not possible, or the engine that the link was asked to have cannot do it: the error names link and value, and the link is
    /// as it was.
    pub fn impair(&self, impairment: impl Into<Asymmetric>) -> Result<()> {
        let Asymmetric { up, down } = impairment.into();
        self.state().ask([up, down])
    }

    /// The same for one direction; the other stays as it is.
    pub fn impair_one_way(&self, direction: Direction, impairment: &Impairment) -> Result<()> {
        let mut state = self.state();
        let mut asked = state.asked().clone();
        asked[direction.index()] = impairment.clone();
        state.ask(asked)
    }

    /// What is done to packets in a direction: what was asked for, made worse by what [degrades](Link::degrade) the link.
    pub fn impairment(&self, direction: Direction) -> Impairment {
        self.state().wanted(direction)
    }

    /// What has passed in a direction since the link has its [carrier](Link::carrier).
    ///
    /// The userspace wire counts everything by its cause, and its books balance. Those of netem balance too, but it tells of its losses only in sum
    /// (by chance where there is a chance, else by a full queue), not what was corrupted, and of the longest queue only what is asked for in time. Of a
    /// plain link the kernel knows what was sent and received (there, 64 KB that it hands over at once are one packet), and what was lost while it was cut.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::impair::{Cause, Direction};
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// let counters = link.counters(Direction::AToB)?;
    /// println!("{} sent, {} of them lost by chance", counters.sent, counters.lost.by(Cause::Loss));
    /// # Ok(())
    /// # }
    /// ```
    pub fn counters(&self, direction: Direction) -> Result<Counters> {
        self.state().counters(direction)
    }

    /// Has the wire wait busily for the last moment before a packet is due: exacter, for a core that does nothing else then. The link
    /// is carried by the userspace wire from then on.
    pub fn spin(&self, on: bool) -> Result<()> {
        self.state()
            .require_wire("spinning")
            .map(|wire| wire.spin(on))
    }
}
