//! The IPv4 addresses that stand for hosts of IPv6 within a NAT64.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::topology::Subnet;

/// The time without a packet after which another host may have the address of one: that of an open
/// connection of TCP (RFC 5382, REQ-5), the longest of all.
const IDLE: u64 = 7440 * 1_000_000_000;

/// A pool of addresses, and the hosts that have them.
#[derive(Clone, Debug)]
pub(super) struct HostPool {
    network: u32,
    most: usize,
    numbers: HashMap<Ipv6Addr, usize>,
    /// The hosts by number, with the time of their last packet.
    hosts: Vec<(Ipv6Addr, u64)>,
}

impl HostPool {
    /// Makes a pool of a network of IPv4.
    pub(super) fn new(pool: Subnet) -> Self {
        Self {
            network: pool.base() as u32,
            most: usize::try_from(pool.capacity()).unwrap_or(0),
            numbers: HashMap::new(),
            hosts: Vec::new(),
        }
    }

    /// Returns the address of a host, which gets one with its first packet; none if all are in use.
    pub(super) fn address_of(&mut self, host: Ipv6Addr, now: u64) -> Option<Ipv4Addr> {
        let number = match self.numbers.get(&host) {
            Some(number) => *number,
            None => self.take(host, now)?,
        };
        self.hosts[number].1 = now;
        Some(self.address(number))
    }

    /// Returns the host that has an address.
    pub(super) fn host_at(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let number = address.to_bits().checked_sub(self.network + 1)?;
        let (host, _) = self.hosts.get(number as usize)?;
        Some(*host)
    }

    /// Returns all hosts with their addresses, in the order of the addresses.
    pub(super) fn all(&self) -> impl Iterator<Item = (Ipv6Addr, Ipv4Addr)> {
        let hosts = self.hosts.iter().enumerate();
        hosts.map(|(number, (host, _))| (*host, self.address(number)))
    }

    fn address(&self, number: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network + 1 + number as u32)
    }

    fn take(&mut self, host: Ipv6Addr, now: u64) -> Option<usize> {
        let number = if self.hosts.len() < self.most {
            self.hosts.push((host, now));
            self.hosts.len() - 1
        } else {
            let idlest = self.hosts.iter().enumerate().min_by_key(|(_, it)| it.1);
            let (number, (before, last)) = idlest?;
            if last.saturating_add(IDLE) > now {
                return None;
            }
            self.numbers.remove(before);
            self.hosts[number].0 = host;
            number
        };
        self.numbers.insert(host, number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_keep_their_addresses_until_others_need_them() {
        let mut pool = HostPool::new("198.18.0.0/30".parse().unwrap());
        let host = |n: u128| Ipv6Addr::from_bits(n);
        let of =
            |pool: &mut HostPool, n, now| pool.address_of(host(n), now).map(|it| it.octets()[3]);
        assert_eq!(of(&mut pool, 7, 0), Some(1));
        assert_eq!(of(&mut pool, 8, 1), Some(2));
        assert_eq!(of(&mut pool, 7, 2), Some(1));
        assert_eq!(of(&mut pool, 9, IDLE), None, "both are in use");
        assert_eq!(of(&mut pool, 9, IDLE + 1), Some(2), "the idlest one");
        assert_eq!(pool.host_at(Ipv4Addr::new(198, 18, 0, 2)), Some(host(9)));
        assert_eq!(pool.host_at(Ipv4Addr::new(198, 18, 0, 3)), None);
        assert_eq!(pool.host_at(Ipv4Addr::new(198, 18, 0, 0)), None);
        assert_eq!(of(&mut pool, 8, IDLE + 1), None);
    }
}
