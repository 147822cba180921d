//! Addresses that are groups, and groups that come with addresses.

use std::net::{IpAddr, Ipv6Addr};

use super::{ADDRESS, CarriedSettings};
use crate::netlink::batch::Batch;
use crate::netlink::encoding;
use crate::netlink::link::Device;

impl CarriedSettings {
    /// Adds requests that take the addresses from the interface for which the kernel is a member of
    /// a group (`autojoin`, ip-address(8)).
    ///
    /// The kernel holds such a membership by a socket of its own, and refuses to join once more
    /// where the socket has not left (net/ipv4/devinet.c, ip_mc_autojoin_config). The end of the
    /// interface does not make it leave.
    pub fn leave_groups(&self, batch: &mut Batch, device: Device<'_>) {
        const RTM_DELADDR: u16 = 21;
        let joined = self.requests.iter().filter(|it| {
            let is_address = it.kind == ADDRESS.new;
            is_address && it.payload.get(ADDRESS.header..).is_some_and(joins)
        });
        for address in joined {
            let what = "take a group from";
            batch.push(what, device.name, RTM_DELADDR, 0, &address.payload);
        }
    }

    /// Returns whether the kernel joins a group by itself for one of the addresses of the
    /// interface, as soon as the address is there: the solicited-node group of the address (RFC
    /// 4291, section 2.7.1).
    pub fn comes_with_an_address(&self, group: IpAddr) -> bool {
        const IFA_ADDRESS: u16 = 1;
        let addresses = self.requests.iter().filter(|it| it.kind == ADDRESS.new);
        let mut addresses = addresses.filter_map(|it| {
            let attributes = it.payload.get(ADDRESS.header..)?;
            encoding::find(attributes, IFA_ADDRESS).and_then(encoding::ip)
        });
        addresses.any(|address| match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => solicited_group(address) == group,
        })
    }
}

fn solicited_group(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let last = u16::from_be_bytes([b, c]);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), last)
}

fn joins(attributes: &[u8]) -> bool {
    const IFA_FLAGS: u16 = 8;
    const IFA_F_MCAUTOJOIN: u32 = 0x400;
    let flags = encoding::find(attributes, IFA_FLAGS).and_then(|it| encoding::u32_at(it, 0));
    flags.is_some_and(|flags| flags & IFA_F_MCAUTOJOIN != 0)
}
