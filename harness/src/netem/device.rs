//! A device whose egress passes netem: sets its disciplines, reads them back and changes them.

use std::os::fd::BorrowedFd;

use super::compare::{DifferingOptions, compare, filter_options, netem_options};
use super::estimate;
use super::options::{DisciplineOptions, jitter_table};
use super::unsupported::find_unsupported;
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError};
use crate::kernel::qdisc::{NetemOptions, Qdisc, QdiscPosition, TbfOptions};
use crate::model::impair::{Counters, Impairment, Lost, Percent, Traffic};
use crate::model::random::{GOLDEN, seed_for};

/// A device that does to the packets that it sends what an impairment says.
#[derive(Debug)]
pub(crate) struct NetemDevice {
    netlink: Netlink,
    index: u32,
    name: String,
    seed: u64,
    /// Number of changes so far: netem's random numbers start anew with each.
    changes: u64,
    /// Whether netem was ever given a table for its jitter.
    has_table: bool,
    /// Whether the device has ever duplicated packets.
    duplicates: bool,
    impairment: Impairment,
    /// Packets that were dropped so far, by the cause that was likely at the time.
    lost: Lost,
    /// The kernel's count of dropped packets when `lost` was last brought up to date.
    drops: u32,
    most_queued: Traffic,
}

impl NetemDevice {
    /// Sets the disciplines of a device that has none. The impairment is valid, and it is in force
    /// when this returns.
    ///
    /// # Errors
    /// netem cannot do the impairment ([`find_unsupported`]), the kernel refuses an option, or it
    /// has another value in force than the one that was set.
    pub(crate) fn apply(
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        impairment: &Impairment,
        seed: u64,
    ) -> Result<Self, NetlinkError> {
        let mut device = Self {
            netlink: Netlink::open_in(netns)?,
            index: device.index,
            name: device.name.to_owned(),
            // netem's generator makes much the same numbers of seeds that are close to each
            // other, and links' seeds may be: so the seed is hashed once more.
            seed: seed_for(seed, "netem"),
            changes: 0,
            has_table: false,
            duplicates: impairment.duplicate != Percent::ZERO,
            impairment: impairment.clone(),
            lost: Lost::default(),
            drops: 0,
            most_queued: Traffic::default(),
        };
        device.configure(impairment, Batch::replace_qdisc)?;
        Ok(device)
    }

    /// Changes what is done to packets from now on. Packets under way come out as was decided.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub(crate) fn change(&mut self, impairment: &Impairment) -> Result<(), NetlinkError> {
        // Packets that were dropped until now were dropped by the former impairment.
        self.read_counters()?;
        self.changes += 1;
        // Changed and not replaced: replacing a discipline drops all that it holds.
        self.configure(impairment, Batch::change_qdisc)?;
        self.duplicates |= impairment.duplicate != Percent::ZERO;
        self.impairment = impairment.clone();
        Ok(())
    }

    /// Returns what has passed by now, as far as that follows from the kernel's statistics and
    /// from what has `entered` the link.
    ///
    /// The kernel has one number for all that it drops. These packets count as lost by chance
    /// where the impairment loses packets by chance, and else as dropped by a full queue. Nothing
    /// tells what was corrupted. Where packets are duplicated and lost, duplicates are taken to be
    /// of the average length.
    ///
    /// # Errors
    /// The kernel does not tell of its disciplines.
    pub(crate) fn counters(&mut self, entered: Traffic) -> Result<Counters, NetlinkError> {
        let counters = self.read_counters()?;
        Ok(estimate::complete(counters, entered, self.duplicates))
    }

    /// Reads what the kernel has counted, and brings the number of lost packets up to date.
    fn read_counters(&mut self) -> Result<Counters, NetlinkError> {
        let device = Device {
            index: self.index,
            name: &self.name,
        };
        // The root passes on every packet and every drop of netem below it; only what netem has
        // put in front of its queue is counted there alone (`requeues`, netem_enqueue).
        let all = self.netlink.qdisc(device, QdiscPosition::ROOT)?.statistics;
        let below = self.netlink.qdisc(device, QdiscPosition::BELOW_ROOT)?;
        let cause = estimate::main_cause(&self.impairment);
        // The kernel's counter has 32 bits and wraps around.
        self.lost.by_mut(cause).packets += u64::from(all.drops.wrapping_sub(self.drops));
        self.drops = all.drops;
        let queued = Traffic {
            packets: all.queued_packets.into(),
            bytes: all.queued_bytes.into(),
        };
        let most = &mut self.most_queued;
        most.packets = most.packets.max(queued.packets);
        most.bytes = most.bytes.max(queued.bytes);
        Ok(Counters {
            delivered: Traffic {
                packets: all.packets,
                bytes: all.bytes,
            },
            lost: self.lost,
            reordered: Traffic {
                packets: below.statistics.requeues.into(),
                bytes: 0,
            },
            queued,
            most_queued: self.most_queued,
            ..Counters::default()
        })
    }

    /// Sets both disciplines by `put`, and reads them back.
    fn configure(
        &mut self,
        impairment: &Impairment,
        put: fn(&mut Batch, Device<'_>, QdiscPosition, Qdisc<'_>),
    ) -> Result<(), NetlinkError> {
        let device = Device {
            index: self.index,
            name: &self.name,
        };
        let unlike = |what| NetlinkError::unlike("impair", device.name, what);
        let differing = |options: DifferingOptions| unlike(options.to_string());
        // The MTU matters to a burst alone, and it costs a question to the kernel.
        let mtu = match impairment.burst {
            Some(_) => self.netlink.interface(device)?.mtu,
            None => 0,
        };
        if let Some(what) = find_unsupported(impairment, mtu) {
            return Err(unlike(format!("netem cannot do {what}")));
        }
        let seed = self.seed.wrapping_add(self.changes.wrapping_mul(GOLDEN));
        let DisciplineOptions { filter, netem } = DisciplineOptions::new(impairment, seed);
        let table = jitter_table(&impairment.jitter, self.has_table);
        let mut batch = Batch::new();
        // The filter goes first: netem hangs below its class, which has to be there.
        put(&mut batch, device, QdiscPosition::ROOT, Qdisc::Tbf(filter));
        put(
            &mut batch,
            device,
            QdiscPosition::BELOW_ROOT,
            Qdisc::Netem(&netem, table),
        );
        self.netlink.execute(batch)?;
        self.has_table |= table.is_some();

        let found = self.netlink.qdisc(device, QdiscPosition::ROOT)?;
        let found =
            TbfOptions::read(&found).ok_or_else(|| unlike(not_there("tbf", &found.kind)))?;
        compare(filter_options(&filter, &found)).map_err(differing)?;
        let found = self.netlink.qdisc(device, QdiscPosition::BELOW_ROOT)?;
        let found =
            NetemOptions::read(&found).ok_or_else(|| unlike(not_there("netem", &found.kind)))?;
        // Of the options that are set here, the kernel tells all but the jitter's table
        // (net/sched/sch_netem.c, netem_dump has no TCA_NETEM_DELAY_DIST).
        compare(netem_options(&netem, &found)).map_err(differing)
    }
}

fn not_there(wanted: &str, found: &str) -> String {
    format!(
        "the kernel has a `{found}` where it was told to have a `{wanted}`, or says nothing of its values"
    )
}
