//! How a link is cut, whoever carries it.

use std::os::fd::AsFd;

use super::error::{LabError, Result};
use super::lay;
use super::middle::{Carried, Middle};
use crate::impair::{Direction, Traffic};
use crate::kernel::netlink::{Cut, CutFrom};

/// The cuts of a link, each by direction.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// How many want it cut.
    wanted: [u32; 2],
    /// What cuts it where the kernel carries it.
    sieves: [Option<Cut>; 2],
    /// What sieves that are gone have dropped.
    sieved: [Traffic; 2],
}

impl Middle {
    /// One more wants it cut.
    pub(super) fn cut(&mut self, direction: Direction) -> Result<()> {
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
    pub(super) fn heal(&mut self, direction: Direction) -> Result<()> {
        self.cuts.wanted[direction.index()] -= 1;
        if self.cuts.wanted[direction.index()] > 0 {
            return Ok(());
        }
        if let Some(wire) = self.wire() {
            wire.heal(direction);
        }
        self.take_sieve(direction).map_or(Ok(()), |sieve| {
            sieve
                .heal()
                .map_err(|e| LabError::network(format!("link `{}`", self.line.cable.name), e))
        })
    }

    /// Cuts it again, after it has got another carrier.
    pub(super) fn sever_again(&mut self) -> Result<()> {
        for direction in Direction::BOTH {
            if self.cuts.wanted[direction.index()] > 0 {
                self.sever(direction)?;
            }
        }
        Ok(())
    }

    fn sever(&mut self, direction: Direction) -> Result<()> {
        // What one end sends is sieved where the other receives it.
        let (from, to) = (direction.index(), direction.reverse().index());
        let sieve = match &self.carried {
            Carried::Nobody => return Ok(()),
            Carried::Wire { wire, .. } => {
                wire.cut(direction);
                return Ok(());
            }
            Carried::Veth => {
                Cut::make(self.line.place(to)?, self.line.device(to), &CutFrom::Anyone)
            }
            Carried::Netem { backstage, .. } => {
                let inner = lay::Inner::of(&self.line, from);
                Cut::make(backstage.as_fd(), inner.device(), &CutFrom::Anyone)
            }
        };
        let sieve =
            sieve.map_err(|e| LabError::network(format!("link `{}`", self.line.cable.name), e))?;
        self.cuts.sieves[direction.index()] = Some(sieve);
        Ok(())
    }

    fn take_sieve(&mut self, direction: Direction) -> Option<Cut> {
        let mut sieve = self.cuts.sieves[direction.index()].take()?;
        if let Ok((packets, bytes)) = sieve.dropped() {
            self.cuts.sieved[direction.index()] += Traffic { packets, bytes };
        }
        Some(sieve)
    }

    pub(super) fn drop_sieves(&mut self) {
        for direction in Direction::BOTH {
            drop(self.take_sieve(direction));
        }
    }

    /// What the sieves have dropped by now.
    pub(super) fn sieved(&mut self, direction: Direction) -> Traffic {
        let mut traffic = self.cuts.sieved[direction.index()];
        if let Some(sieve) = &mut self.cuts.sieves[direction.index()]
            && let Ok((packets, bytes)) = sieve.dropped()
        {
            traffic += Traffic { packets, bytes };
        }
        traffic
    }
}
