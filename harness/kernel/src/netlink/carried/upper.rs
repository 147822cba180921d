//! Interfaces in other network namespaces that stand on an interface of our namespace, such as the
//! macvlan of a container.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::RTM_GETLINK;
use crate::netlink::connection::{Netlink, Question};
use crate::netlink::encoding::{self, Attributes};
use crate::netlink::error::NetlinkError;

const RTM_GETNSID: u16 = 90;
const NETNSA_NSID: u16 = 1;

impl Netlink {
    /// Returns the names of interfaces that were moved to other namespaces and stand on the
    /// interface `index` of `netns`. The kernel deletes them together with that interface.
    ///
    /// The kernel numbers the namespaces to which interfaces of this one were moved
    /// (net/core/dev.c, __dev_change_net_namespace), and lists the interfaces of each.
    ///
    /// # Errors
    /// The kernel refused to list the namespaces.
    pub fn interfaces_in_other_namespaces_over(
        &mut self,
        netns: BorrowedFd<'_>,
        index: u32,
    ) -> Result<Vec<String>, NetlinkError> {
        let numbers = self.dump("list namespaces beside", RTM_GETNSID, &[0; 4], |message| {
            encoding::find(message.payload.get(4..)?, NETNSA_NSID).and_then(as_number)
        })?;
        let mut found = Vec::new();
        for number in numbers {
            // The kernel refuses a namespace of another owner, and a namespace without a process
            // may be gone by now.
            found.extend(self.over_us(number, index).unwrap_or_default());
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        // The list has given a number to our own namespace too, if one of the interfaces stands on
        // an interface of ours.
        let own = self.own_number(netns)?;
        found.retain(|(_, below)| Some(*below) == own);
        Ok(found.into_iter().map(|(name, _)| name).collect())
    }

    /// Lists the interfaces of namespace `number` that stand on an interface with this index in
    /// another namespace: their names, and the number of that other namespace.
    fn over_us(&mut self, number: u32, index: u32) -> Result<Vec<(String, u32)>, NetlinkError> {
        const IFLA_IFNAME: u16 = 3;
        const IFLA_LINK: u16 = 5;
        const IFLA_LINKINFO: u16 = 18;
        const IFLA_INFO_KIND: u16 = 1;
        const IFLA_LINK_NETNSID: u16 = 37;
        const IFLA_TARGET_NETNSID: u16 = 46;
        let mut question = vec![0; 16];
        question.extend(Attributes::new().number(IFLA_TARGET_NETNSID, number).0);
        self.dump(
            "list interfaces beside",
            RTM_GETLINK,
            &question,
            |message| {
                let attributes = message.payload.get(16..)?;
                let find = |kind| encoding::find(attributes, kind);
                let below = find(IFLA_LINK).and_then(as_number)?;
                let kind = find(IFLA_LINKINFO).and_then(|it| encoding::find(it, IFLA_INFO_KIND));
                // A veth names its other end in the same attribute (drivers/net/veth.c,
                // veth_get_iflink), and does not stand on that end.
                if below != index || kind.map(encoding::text).as_deref() == Some("veth") {
                    return None;
                }
                let namespace = find(IFLA_LINK_NETNSID).and_then(as_number)?;
                Some((encoding::text(find(IFLA_IFNAME)?), namespace))
            },
        )
    }

    fn own_number(&mut self, netns: BorrowedFd<'_>) -> Result<Option<u32>, NetlinkError> {
        const NETNSA_FD: u16 = 3;
        let mut payload = vec![0; 4];
        let descriptor = netns.as_raw_fd().cast_unsigned();
        payload.extend(Attributes::new().number(NETNSA_FD, descriptor).0);
        let question = Question {
            operation: "number",
            subject: "the network namespace",
            kind: RTM_GETNSID,
            flags: 0,
            payload: &payload,
        };
        self.get(&question, |message| {
            encoding::find(message.payload.get(4..)?, NETNSA_NSID).and_then(as_number)
        })
    }
}

fn as_number(value: &[u8]) -> Option<u32> {
    encoding::u32_at(value, 0)
}
