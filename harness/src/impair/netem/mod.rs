//! Links by the kernel's own netem.
//!
//! At the device that sends out of the middle of a link hangs a token bucket filter, and below it netem. netem holds all that
//! the link holds, what is under way and what waits, so that its limit is that of the queue; the filter lets packets out of it. It is there
//! without a `burst` too, at a rate that nothing reaches, since a link that is to get one later would otherwise lose what it holds.
//!
//! What is set is read back, each value. (But the table of a jitter: the kernel tells nobody.)
//!
//! netem decides about what it is handed, and that may be a batch of 64 KB. So whatever sends *into* the link
//! must be told to send packets one by one: `Batch::send_one_by_one`.

mod cannot;
mod compare;
mod options;
#[cfg(test)]
mod tests;

use std::os::fd::BorrowedFd;

use super::counters::{Cause, Counters, Lost, Traffic};
use super::impairment::Impairment;
use super::percent::Percent;
use crate::kernel::netlink::{
    Batch, Device, NetemOptions, Netlink, NetlinkError, Place, Qdisc, TbfOptions,
};
use crate::random::{GOLDEN, seed_for};
pub(crate) use cannot::cannot;
use compare::{compare, filter_values, netem_values};
use options::{filter, options, table};

/// What one device does to what it sends.
#[derive(Debug)]
pub(crate) struct Netem {
    netlink: Netlink,
    index: u32,
    name: String,
    seed: u64,
    /// How often it was changed: each time chance starts anew.
    changes: u64,
    /// Whether netem has a table for its jitter.
    has_table: bool,
    impairment: Impairment,
    /// What was dropped so far, and the kernel's count at that time.
    lost: Lost,
    drops: u32,
    most_queued: Traffic,
}

impl Netem {
    /// Has the device do this to what it sends. The impairment is valid, and in force when this returns.
    ///
    /// # Errors
    /// What netem [cannot] do, what the kernel refused, or which value it has taken for another one.
    pub(crate) fn apply(
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        impairment: &Impairment,
        seed: u64,
    ) -> Result<Netem, NetlinkError> {
        let mut netem = Netem {
            netlink: Netlink::open_in(netns)?,
            index: device.index,
            name: device.name.to_owned(),
            // The two directions of a link have one seed, and shall not lose the same packets.
            seed: seed_for(seed, device.name),
            changes: 0,
            has_table: false,
            impairment: impairment.clone(),
            lost: Lost::default(),
            drops: 0,
            most_queued: Traffic::default(),
        };
        netem.set(impairment, Batch::replace_qdisc)?;
        Ok(netem)
    }

    /// Changes what is done to packets from now on. What is under way comes out as it was decided.
    ///
    /// # Errors
    /// As for [`apply`](Netem::apply).
    pub(crate) fn change(&mut self, impairment: &Impairment) -> Result<(), NetlinkError> {
        self.counters()?;
        self.changes += 1;
        self.set(impairment, Batch::change_qdisc)?;
        self.impairment = impairment.clone();
        Ok(())
    }

    /// What has passed by now, as far as the kernel's statistics tell. They do not tell how many bytes were lost, nor what was corrupted or
    /// duplicated: duplicates count as sent. All that is dropped is one number: it counts as loss where there is loss by chance, and else for a full queue.
    pub(crate) fn counters(&mut self) -> Result<Counters, NetlinkError> {
        let device = Device {
            index: self.index,
            name: &self.name,
        };
        let all = self.netlink.qdisc(device, Place::ROOT)?.statistics;
        let netem = self.netlink.qdisc(device, Place::BELOW_ROOT)?.statistics;
        let cause = match &self.impairment {
            of if of.loss != Percent::ZERO => Cause::Loss,
            of if of.bursts.is_some() => Cause::Burst,
            _ => Cause::Queue,
        };
        self.lost.of(cause).packets += u64::from(all.drops.wrapping_sub(self.drops));
        self.drops = all.drops;
        let delivered = Traffic {
            packets: all.packets,
            bytes: all.bytes,
        };
        let queued = Traffic {
            packets: all.queued_packets.into(),
            bytes: all.queued_bytes.into(),
        };
        let most = &mut self.most_queued;
        most.packets = most.packets.max(queued.packets);
        most.bytes = most.bytes.max(queued.bytes);
        let mut sent = delivered;
        sent += queued;
        sent += self.lost.total();
        Ok(Counters {
            sent,
            delivered,
            lost: self.lost,
            reordered: Traffic {
                packets: netem.requeues.into(),
                bytes: 0,
            },
            queued,
            most_queued: self.most_queued,
            ..Counters::default()
        })
    }

    fn set(
        &mut self,
        impairment: &Impairment,
        put: fn(&mut Batch, Device<'_>, Place, Qdisc<'_>),
    ) -> Result<(), NetlinkError> {
        let device = Device {
            index: self.index,
            name: &self.name,
        };
        let unlike = |what| NetlinkError::unlike("impair", device.name, what);
        if let Some(what) = cannot(impairment) {
            return Err(unlike(format!("netem cannot do {what}")));
        }
        let seed = self.seed.wrapping_add(self.changes.wrapping_mul(GOLDEN));
        let (filter, netem) = (filter(impairment), options(impairment, seed));
        let table = table(&impairment.jitter, self.has_table);
        let mut batch = Batch::new();
        put(&mut batch, device, Place::ROOT, Qdisc::Tbf(filter));
        put(
            &mut batch,
            device,
            Place::BELOW_ROOT,
            Qdisc::Netem(&netem, table),
        );
        self.netlink.execute(batch)?;
        self.has_table |= table.is_some();

        let found = self.netlink.qdisc(device, Place::ROOT)?;
        let found = TbfOptions::read(&found).ok_or_else(|| unlike(nothing("tbf", &found.kind)))?;
        compare(&filter_values(&filter, &found)).map_err(unlike)?;
        let found = self.netlink.qdisc(device, Place::BELOW_ROOT)?;
        let found =
            NetemOptions::read(&found).ok_or_else(|| unlike(nothing("netem", &found.kind)))?;
        compare(&netem_values(&netem, &found)).map_err(unlike)
    }
}

fn nothing(wanted: &str, found: &str) -> String {
    format!(
        "the kernel has a `{found}` where it was told to have a `{wanted}`, or says nothing of its values"
    )
}
