//! The faults in force: what they refuse, and for how long they delay.

use std::time::Duration;

use super::decay::Damage;
use super::error::DiskError;
use super::fault::{DiskFault, RefusedWrites};
use crate::impair::Percent;
use crate::random::splitmix;

/// An operation that reaches the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads so many bytes.
    Read(usize),
    /// Writes so many bytes.
    Write(usize),
    /// Makes something durable.
    Sync,
}

/// The faults in force.
#[derive(Clone, Debug, Default)]
pub struct FaultsInForce {
    active: Vec<FaultInForce>,
    /// What faults in force have changed in files, in the order in which they did.
    pub(super) damage: Vec<Damage>,
    /// Time on the caller's clock at which a slow disk has done what it was asked so far.
    busy_until: Duration,
}

#[derive(Clone, Debug)]
struct FaultInForce {
    id: u64,
    fault: DiskFault,
    /// State of the generator of this fault's chances.
    chance: u64,
    /// Bytes that a full disk has left.
    left: u64,
}

impl FaultsInForce {
    pub(super) fn begin(&mut self, id: u64, fault: DiskFault, seed: u64) {
        let left = match &fault {
            DiskFault::Full { free } => free.as_bytes(),
            DiskFault::ReadOnly
            | DiskFault::Slow { .. }
            | DiskFault::Io { .. }
            | DiskFault::Torn
            | DiskFault::BitFlip { .. }
            | DiskFault::Truncate { .. } => u64::MAX,
        };
        self.active.push(FaultInForce {
            id,
            fault,
            chance: seed,
            left,
        });
    }

    pub(super) fn end(&mut self, id: u64) {
        self.active.retain(|condition| condition.id != id);
    }

    /// Returns whether a write has to ask the disk before the kernel takes it.
    pub fn asks_before_writes(&self) -> bool {
        self.active
            .iter()
            .any(|it| it.fault.refused_writes() != RefusedWrites::None)
    }

    /// Returns whether reads, writes and syncs take time.
    pub fn delays(&self) -> bool {
        let is_slow = |it: &FaultInForce| matches!(it.fault, DiskFault::Slow { .. });
        self.active.iter().any(is_slow)
    }

    /// Returns whether power cuts tear blocks.
    pub(super) fn tears(&self) -> bool {
        self.active.iter().any(|it| it.fault == DiskFault::Torn)
    }

    /// Decides on an operation at the time `now` of any clock: for how long it is to be delayed,
    /// and whether it fails.
    pub fn meet(&mut self, access: Access, now: Duration) -> (Duration, Result<(), DiskError>) {
        let mut cost = Duration::ZERO;
        let mut fails = false;
        for condition in &mut self.active {
            match &condition.fault {
                DiskFault::Slow { delay, rate } => {
                    cost += *delay;
                    let bytes = match access {
                        Access::Read(bytes) | Access::Write(bytes) => bytes as f64,
                        Access::Sync => 0.0,
                    };
                    if let Some(rate) = rate {
                        cost += Duration::from_secs_f64(bytes / rate.as_bytes() as f64);
                    }
                }
                DiskFault::Io {
                    reads,
                    writes,
                    syncs,
                } => {
                    let share = match access {
                        Access::Read(_) => *reads,
                        Access::Write(_) => *writes,
                        Access::Sync => *syncs,
                    };
                    if share > Percent::ZERO {
                        let drawn = splitmix(&mut condition.chance) >> 11;
                        let drawn = drawn as f64 / (1u64 << 53) as f64;
                        fails |= drawn < share.fraction();
                    }
                }
                DiskFault::Full { .. }
                | DiskFault::ReadOnly
                | DiskFault::Torn
                | DiskFault::BitFlip { .. }
                | DiskFault::Truncate { .. } => {}
            }
        }
        let delay = match cost.is_zero() {
            true => Duration::ZERO,
            // Operations are done one after the other, as by one head or one queue.
            false => {
                self.busy_until = self.busy_until.max(now) + cost;
                self.busy_until - now
            }
        };
        (delay, if fails { Err(DiskError::Io) } else { Ok(()) })
    }

    pub(super) fn permit_change(&self) -> Result<(), DiskError> {
        let refuses = |it: &FaultInForce| it.fault.refused_writes() == RefusedWrites::All;
        match self.active.iter().any(refuses) {
            true => Err(DiskError::ReadOnly),
            false => Ok(()),
        }
    }

    pub(super) fn permit_new(&self) -> Result<(), DiskError> {
        self.permit_change()?;
        match self.free_bytes() {
            0 => Err(DiskError::Full),
            _ => Ok(()),
        }
    }

    pub(super) fn take_space(&mut self, bytes: u64) -> Result<(), DiskError> {
        if self.free_bytes() < bytes {
            return Err(DiskError::Full);
        }
        for condition in &mut self.active {
            if condition.fault.refused_writes() == RefusedWrites::BeyondSpace {
                condition.left -= bytes;
            }
        }
        Ok(())
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.active
            .iter()
            .map(|it| it.left)
            .min()
            .unwrap_or(u64::MAX)
    }
}
