//! What is done to the packets of a link: changed, and counted, while the lab runs.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::impair::{Asymmetric, Cause, Counters, Direction, Impairment, Traffic};
use crate::kernel::netlink::Netlink;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::attach as lay;
use crate::lab::link::cuts::Sieved;
use crate::lab::link::link::Link;
use crate::lab::link::state::{Carried, Middle};
use crate::model::side::Side;

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
        self.middle().ask([up, down])
    }

    /// The same for one direction; the other stays as it is.
    pub fn impair_one_way(&self, direction: Direction, impairment: &Impairment) -> Result<()> {
        let mut middle = self.middle();
        let mut asked = middle.asked().clone();
        asked[direction.index()] = impairment.clone();
        middle.ask(asked)
    }

    /// What is done to packets in a direction: what was asked for, made worse by what [degrades](Link::degrade) the link.
    pub fn impairment(&self, direction: Direction) -> Impairment {
        self.middle().wanted(direction)
    }

    /// Makes the link worse for a while: delays and losses add up, and the lower rate holds. It recovers when the guard is dropped;
    /// several at once compose.
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
    /// As those of [`impair`](Link::impair).
    pub fn degrade(&self, worse: Impairment) -> Result<Degraded> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = self.name();
        worse
            .validate()
            .map_err(|wrong| LabError::other(format!("link `{name}`: {wrong}")))?;
        self.middle().degrade(number, worse)?;
        Ok(Degraded {
            middle: Some(Arc::clone(&self.middle)),
            number,
        })
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
        self.middle().counters(direction)
    }

    /// Has the wire wait busily for the last moment before a packet is due: exacter, for a core that does nothing else then. The link
    /// is carried by the userspace wire from then on.
    pub fn spin(&self, on: bool) -> Result<()> {
        self.middle()
            .need_wire("spinning")
            .map(|wire| wire.spin(on))
    }
}

impl Middle {
    fn counters(&mut self, direction: Direction) -> Result<Counters> {
        let sieved = self.sieved(direction);
        let mut counters = match &mut self.carried {
            Carried::Nobody => return Err(self.removed()),
            Carried::Wire { wire, .. } => return Ok(wire.counters(direction)),
            Carried::Netem { egress, backstage } => {
                let enters = lay::Inner::of(&self.line, direction.sender());
                let counted = Netlink::open_in(backstage.as_fd())
                    .and_then(|mut netlink| netlink.interface(enters.device()))
                    .and_then(|it| {
                        let entered = Traffic {
                            packets: it.traffic.rx_packets.saturating_sub(sieved.before.packets),
                            bytes: it.traffic.rx_bytes.saturating_sub(sieved.before.bytes),
                        };
                        egress[direction.index()].counters(entered)
                    });
                counted.map_err(|e| lay::backstage_error(&self.line, e))?
            }
            Carried::Veth => self.kernel_counters(direction)?,
        };
        let Sieved { before, behind } = sieved;
        counters.sent += before;
        let delivered = &mut counters.delivered;
        delivered.packets = delivered.packets.saturating_sub(behind.packets);
        delivered.bytes = delivered.bytes.saturating_sub(behind.bytes);
        for sieved in [before, behind] {
            *counters.lost.of(Cause::Cut) += sieved;
        }
        Ok(counters)
    }

    /// What the interfaces at both ends have counted.
    fn kernel_counters(&self, direction: Direction) -> Result<Counters> {
        let (from, to) = (direction.sender(), direction.receiver());
        let of = |side: Side| {
            let explain = |e| LabError::network(self.line.whose(side), e);
            let mut netlink = Netlink::open_in(self.line.place(side)?.as_fd()).map_err(explain)?;
            let found = netlink.interface(self.line.device(side));
            found.map(|it| it.traffic).map_err(explain)
        };
        let (sent, received) = (of(from)?, of(to)?);
        Ok(Counters {
            sent: Traffic {
                packets: sent.tx_packets,
                bytes: sent.tx_bytes,
            },
            delivered: Traffic {
                packets: received.rx_packets,
                bytes: received.rx_bytes,
            },
            ..Counters::default()
        })
    }
}

/// A link that is worse for as long as this lives: see [`Link::degrade`].
#[derive(Debug)]
#[must_use = "the link recovers as soon as this is dropped"]
pub struct Degraded {
    middle: Option<Arc<Mutex<Middle>>>,
    number: u64,
}

impl Degraded {
    /// Recovers now, and says when that was refused.
    pub fn recover(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(middle) = self.middle.take() else {
            return Ok(());
        };
        let mut middle = middle.lock().unwrap_or_else(PoisonError::into_inner);
        match middle.carried {
            Carried::Nobody => Ok(()),
            _ => middle.recover(self.number),
        }
    }
}

impl Drop for Degraded {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            crate::trial::running::complain(format!("a link could not recover: {error}"));
        }
    }
}
