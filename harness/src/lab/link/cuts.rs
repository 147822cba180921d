//! How a link is cut, whoever carries it.
//!
//! A userspace wire does that itself. Where the kernel carries a link, sieves of its packet filter do: at the receiving interface, for what arrives
//! during the cut, and where netem delays packets also in front of it, for what is sent during the cut and would arrive after it.

use std::os::fd::AsFd;

use crate::impair::{Direction, Traffic};
use crate::kernel::netlink::NetlinkError;
use crate::kernel::nft::{DropFrom, IngressDrop};
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::attach as lay;
use crate::lab::link::state::{Carried, Middle};

/// The cuts of a link, each by direction.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// How many want it cut.
    wanted: [u32; 2],
    /// What cuts it where the kernel carries it.
    sieves: [Sieves; 2],
}

/// What cuts one direction of a link.
#[derive(Debug, Default)]
struct Sieves {
    before: Sieve,
    behind: Sieve,
}

/// A place where a cut may be, and what cuts that are gone have dropped there.
#[derive(Debug, Default)]
struct Sieve {
    cut: Option<IngressDrop>,
    dropped: Traffic,
}

/// What was dropped by cuts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sieved {
    /// In front of netem, which has not seen it.
    pub(crate) before: Traffic,
    /// By the receiving interface, which has counted it.
    pub(crate) behind: Traffic,
}

impl Sieve {
    fn end(&mut self) -> std::result::Result<(), NetlinkError> {
        self.dropped = self.dropped();
        self.cut.take().map_or(Ok(()), IngressDrop::heal)
    }

    fn dropped(&mut self) -> Traffic {
        let mut traffic = self.dropped;
        if let Some(cut) = &mut self.cut
            && let Ok((packets, bytes)) = cut.dropped()
        {
            traffic += Traffic { packets, bytes };
        }
        traffic
    }
}

impl Sieves {
    fn end(&mut self) -> std::result::Result<(), NetlinkError> {
        self.before.end().and(self.behind.end())
    }
}

impl Middle {
    /// One more wants it cut.
    pub(crate) fn cut(&mut self, direction: Direction) -> Result<()> {
        if matches!(self.carried, Carried::Nobody) {
            return Err(self.removed());
        }
        if self.cuts.wanted[direction.index()] == 0 {
            self.sever(direction)?;
        }
        self.cuts.wanted[direction.index()] += 1;
        Ok(())
    }

    /// One less wants it cut.
    pub(crate) fn heal(&mut self, direction: Direction) -> Result<()> {
        self.cuts.wanted[direction.index()] -= 1;
        if self.cuts.wanted[direction.index()] > 0 {
            return Ok(());
        }
        if let Some(wire) = self.wire() {
            wire.heal(direction);
        }
        let ended = self.cuts.sieves[direction.index()].end();
        ended.map_err(|e| self.refused(e))
    }

    /// Cuts it again, after it has got another carrier.
    pub(crate) fn sever_again(&mut self) -> Result<()> {
        for direction in Direction::BOTH {
            if self.cuts.wanted[direction.index()] > 0 {
                self.sever(direction)?;
            }
        }
        Ok(())
    }

    fn sever(&mut self, direction: Direction) -> Result<()> {
        let (from, to) = (direction.sender(), direction.receiver());
        let before = match &self.carried {
            Carried::Nobody => return Ok(()),
            Carried::Wire { wire, .. } => {
                wire.cut(direction);
                return Ok(());
            }
            Carried::Veth => None,
            Carried::Netem { backstage, .. } => {
                let enters = lay::Inner::of(&self.line, from);
                let cut = IngressDrop::make(backstage.as_fd(), enters.device(), &DropFrom::Anyone);
                Some(cut.map_err(|e| self.refused(e))?)
            }
        };
        let arrives = self.line.device(to);
        let behind = IngressDrop::make(self.line.place(to)?, arrives, &DropFrom::Anyone);
        let behind = behind.map_err(|e| self.refused(e))?;
        let sieves = &mut self.cuts.sieves[direction.index()];
        sieves.before.cut = before;
        sieves.behind.cut = Some(behind);
        Ok(())
    }

    fn refused(&self, error: NetlinkError) -> LabError {
        LabError::network(format!("link `{}`", self.line.cable.name), error)
    }

    /// Takes the sieves away, whether or not they heal.
    pub(crate) fn drop_sieves(&mut self) {
        for sieves in &mut self.cuts.sieves {
            let _ = sieves.end();
        }
    }

    /// What the sieves have dropped by now.
    pub(crate) fn sieved(&mut self, direction: Direction) -> Sieved {
        let sieves = &mut self.cuts.sieves[direction.index()];
        Sieved {
            before: sieves.before.dropped(),
            behind: sieves.behind.dropped(),
        }
    }
}
