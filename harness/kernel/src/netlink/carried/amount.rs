//! How much stands on an interface: of two interfaces, the one with more is better left alone.

use super::{ADDRESS, CarriedRequest, CarriedSettings, NEIGHBOUR, RTM_GETLINK};
use crate::netlink::connection::Netlink;
use crate::netlink::encoding;
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

impl CarriedSettings {
    /// Counts what stands on the interface: addresses, routes, queueing disciplines and the like,
    /// and what is unusual of the interface itself. Neighbours, which come and go, do not count.
    pub fn amount(&self) -> usize {
        let requests = self.requests.iter();
        let requests = requests.filter(|it| it.kind != NEIGHBOUR.new).count();
        let number =
            |kind| encoding::find(&self.link.0, kind).and_then(|it| encoding::u32_at(it, 0));
        let batch =
            |kind| encoding::find(&self.batches.0, kind).and_then(|it| encoding::u32_at(it, 0));
        // IFF_NOARP, PROMISC, ALLMULTI (linux/if.h).
        const SET_BY_PROGRAMS: u32 = 0x80 | 0x100 | 0x200;
        let unusual = [
            // IFLA_MASTER, TXQLEN, GROUP (linux/if_link.h).
            number(10).is_some(),
            number(13).is_some_and(|length| length != 1000),
            number(27).is_some_and(|group| group != 0),
            // IFLA_IFALIAS.
            encoding::find(&self.link.0, 20).is_some(),
            // The kernel's own limits (include/linux/netdevice.h, GSO_MAX_SEGS,
            // GSO_LEGACY_MAX_SIZE, GRO_LEGACY_MAX_SIZE).
            batch(40).is_some_and(|most| most != 65_535),
            batch(41).is_some_and(|most| most != 65_536),
            batch(58).is_some_and(|most| most != 65_536),
            self.flags & SET_BY_PROGRAMS != 0,
            // IFF_UP.
            self.flags & 1 == 0,
        ];
        let unusual = unusual.into_iter().filter(|is| *is).count();
        requests + self.altnames.len() + unusual
    }

    /// Counts the temporary addresses of IPv6. The kernel alone makes those: on another interface,
    /// they are ordinary ones.
    pub fn temporary_addresses(&self) -> usize {
        self.requests.iter().filter(|it| is_temporary(it)).count()
    }

    /// Returns whether the interface is a port of a bridge, a bond, or the like.
    pub fn is_port(&self) -> bool {
        const IFLA_MASTER: u16 = 10;
        encoding::find(&self.link.0, IFLA_MASTER).is_some()
    }

    /// Returns the largest packet of the interface.
    pub fn mtu(&self) -> Option<u32> {
        const IFLA_MTU: u16 = 4;
        encoding::find(&self.link.0, IFLA_MTU).and_then(|it| encoding::u32_at(it, 0))
    }

    /// Returns the hardware address of the interface.
    pub fn mac(&self) -> Option<[u8; 6]> {
        const IFLA_ADDRESS: u16 = 1;
        encoding::find(&self.link.0, IFLA_ADDRESS)?.try_into().ok()
    }
}

/// Tells whether a request is for a temporary address of IPv6 (RFC 8981). The message is a
/// `struct ifaddrmsg`: family, prefix length, flags.
fn is_temporary(request: &CarriedRequest) -> bool {
    const IFA_F_TEMPORARY: u8 = 0x01;
    let CarriedRequest { kind, payload, .. } = request;
    *kind == ADDRESS.new
        && payload.first() == Some(&(libc::AF_INET6 as u8))
        && payload
            .get(2)
            .is_some_and(|flags| flags & IFA_F_TEMPORARY != 0)
}

impl Netlink {
    /// Returns the hardware address that an interface has now.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn mac_of(&mut self, device: Device<'_>) -> Result<Option<[u8; 6]>, NetlinkError> {
        self.link_settings(device).map(|settings| settings.mac())
    }

    /// Returns the names of the VXLAN, HSR and AMT interfaces that send over an interface. The
    /// kernel deletes them together with it (drivers/net/vxlan/vxlan_core.c,
    /// vxlan_handle_lowerdev_unregister; net/hsr/hsr_main.c; drivers/net/amt.c), and tells the
    /// interface below them among the attributes of their kinds.
    ///
    /// # Errors
    /// The kernel refused the list.
    pub fn tunnels_over(&mut self, index: u32) -> Result<Vec<String>, NetlinkError> {
        const IFLA_IFNAME: u16 = 3;
        const IFLA_LINKINFO: u16 = 18;
        const IFLA_INFO_KIND: u16 = 1;
        const IFLA_INFO_DATA: u16 = 2;
        // IFLA_VXLAN_LINK; IFLA_HSR_SLAVE1, SLAVE2, INTERLINK; IFLA_AMT_LINK (linux/if_link.h,
        // linux/amt.h).
        const BELOW: [(&str, &[u16]); 3] = [("vxlan", &[3]), ("hsr", &[1, 2, 8]), ("amt", &[4])];
        let found = self.dump("list interfaces over", RTM_GETLINK, &[0; 16], |message| {
            let attributes = message.payload.get(16..)?;
            let info = encoding::find(attributes, IFLA_LINKINFO)?;
            let kind = encoding::find(info, IFLA_INFO_KIND).map(encoding::text)?;
            let data = encoding::find(info, IFLA_INFO_DATA)?;
            let (_, below) = BELOW.into_iter().find(|(name, _)| *name == kind)?;
            let mut below = below.iter().filter_map(|it| encoding::find(data, *it));
            let is_over = below.any(|it| encoding::u32_at(it, 0) == Some(index));
            is_over.then(|| encoding::find(attributes, IFLA_IFNAME).map(encoding::text))?
        })?;
        Ok(found)
    }
}
