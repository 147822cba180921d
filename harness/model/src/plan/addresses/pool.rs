//! The pools that automatic subnets come from.

use super::parse::unusable;
use crate::packet::ip::IpVersion;
use crate::topology::error::{Site, TopologyError, TopologySubject};
use crate::topology::problem::{AddressProblem, PoolMistake};
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

/// The ranges that automatic subnets come from, cut into numbered blocks.
pub(crate) struct Pool {
    pub(crate) v4: Subnet,
    pub(crate) v6: Subnet,
    public: bool,
    /// The number of blocks.
    blocks: u128,
    next: u128,
    /// Blocks taken by hand: first and last, in order, none touching another.
    taken: Vec<(u128, u128)>,
}

/// The sizes of blocks.
const BLOCK_V4: u8 = 24;
const BLOCK_V6: u8 = 64;

impl Pool {
    pub(crate) fn of<'a>(
        topology: &Topology,
        public: bool,
        taken: impl Iterator<Item = &'a Subnet>,
    ) -> Result<Pool, TopologyError> {
        let read = |text: &str, version: IpVersion, block: u8, field| {
            let refuse = |mistake| {
                let site = Site::new(TopologySubject::Settings, field);
                TopologyError::one(site, AddressProblem::Pool { mistake })
            };
            let subnet: Subnet = text
                .parse()
                .map_err(|wrong| refuse(PoolMistake::NotASubnet(wrong)))?;
            if let Some(mistake) = unusable(subnet.network()) {
                return Err(refuse(PoolMistake::Unusable { subnet, mistake }));
            }
            let fits = subnet.version() == version && subnet.prefix() <= block;
            fits.then_some(subnet)
                .ok_or_else(|| refuse(PoolMistake::TooSmall { subnet, block }))
        };
        let settings = &topology.settings;
        let (v4, v6, fields) = if public {
            (
                &settings.public_v4,
                &settings.public_v6,
                ["public_v4", "public_v6"],
            )
        } else {
            (&settings.pool_v4, &settings.pool_v6, ["pool_v4", "pool_v6"])
        };
        let v4 = read(v4, IpVersion::V4, BLOCK_V4, fields[0])?;
        let v6 = read(v6, IpVersion::V6, BLOCK_V6, fields[1])?;
        let blocks = (1u128 << (BLOCK_V4 - v4.prefix())).min(1u128 << (BLOCK_V6 - v6.prefix()));
        let mut ranges: Vec<_> = taken
            .filter_map(|subnet| {
                blocks_under(
                    match subnet.version() {
                        IpVersion::V4 => v4,
                        IpVersion::V6 => v6,
                    },
                    subnet,
                )
            })
            .collect();
        ranges.sort_unstable();
        let mut taken: Vec<(u128, u128)> = Vec::new();
        for (first, last) in ranges {
            match taken.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => taken.push((first, last)),
            }
        }
        Ok(Pool {
            v4,
            v6,
            public,
            blocks,
            next: 0,
            taken,
        })
    }

    /// Returns the method of a topology that sets the ranges.
    pub(crate) fn setter(&self) -> &'static str {
        if self.public {
            "public_pools"
        } else {
            "address_pools"
        }
    }

    /// Returns the number of blocks that a segment of so many interfaces needs: a power of two.
    pub(crate) fn blocks_for(ports: usize) -> u128 {
        ((ports as u128 + 2).div_ceil(256)).next_power_of_two()
    }

    /// Takes so many free blocks in a row, aligned to their number, and returns the first.
    pub(crate) fn take(&mut self, blocks: u128) -> Option<u128> {
        let mut first = self.next.next_multiple_of(blocks);
        let from = self.taken.partition_point(|(_, last)| *last < first);
        for (start, end) in &self.taken[from..] {
            if *start >= first + blocks {
                break;
            }
            if first <= *end {
                first = (end + 1).next_multiple_of(blocks);
            }
        }
        self.next = first + blocks;
        (self.next <= self.blocks).then_some(first)
    }

    pub(crate) fn v4_block(&self, index: u128, ports: usize) -> Subnet {
        let bits = Self::blocks_for(ports).trailing_zeros() as u8;
        Subnet::from_bits(
            IpVersion::V4,
            self.v4.base() + (index << 8),
            BLOCK_V4 - bits,
        )
    }

    pub(crate) fn v6_block(&self, index: u128) -> Subnet {
        Subnet::from_bits(IpVersion::V6, self.v6.base() + (index << 64), BLOCK_V6)
    }
}

/// Returns the numbers of the blocks of a pool that a subnet touches.
fn blocks_under(pool: Subnet, subnet: &Subnet) -> Option<(u128, u128)> {
    let shift = if pool.is_ipv6() { 64 } else { 8 };
    let block = |bits: u128| (bits.clamp(pool.base(), pool.last()) - pool.base()) >> shift;
    subnet
        .overlaps(&pool)
        .then(|| (block(subnet.base()), block(subnet.last())))
}
