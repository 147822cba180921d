//! Sets: values that a rule looks up, so that a thousand addresses need one rule.

use std::net::IpAddr;

use nix::libc;

use super::attributes::*;
use super::table::NftTable;
use crate::netlink::Batch;
use crate::netlink::encoding::Attributes;

/// Members in one message. The length of an attribute is a number of 16 bits (`netlink(7)`), and
/// an element with an IPv6 address takes 28 bytes.
const ELEMENTS_AT_ONCE: usize = 1000;

/// Values that a rule can look up.
#[derive(Clone, Debug)]
pub(crate) struct NftSet<'a> {
    /// Name of the set in its table.
    pub name: &'a str,
    /// Type of the members.
    pub kind: SetKind,
    /// Members in network byte order.
    pub members: Vec<Vec<u8>>,
}

/// Type of a set's members. The kernel only uses the length; `nft list` shows members by their
/// type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetKind {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Hardware addresses.
    Mac,
    /// Indices of interfaces, in the byte order of the machine.
    Interface,
}

impl SetKind {
    /// Returns the number of the type in `nft`, the program (`enum datatypes` of its `datatype.h`).
    fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
            Self::Mac => 9,
            Self::Interface => 20,
        }
    }

    fn length(self) -> u32 {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 16,
            Self::Mac => 6,
            Self::Interface => 4,
        }
    }
}

impl Batch {
    /// Makes a set with its members, all of one length.
    pub(crate) fn add_set(&mut self, table: NftTable<'_>, set: &NftSet<'_>) {
        /// Number of the set within the transaction. The kernel demands a number although rules may
        /// name the set (`nf_tables_api.c`, `nf_tables_newset`).
        const ID: u32 = 1;
        let text = Attributes::new()
            .text(NFTA_SET_TABLE, table.name)
            .text(NFTA_SET_NAME, set.name)
            // No flags: neither intervals nor time-outs, so the kernel may take a plain hash table.
            .with(NFTA_SET_FLAGS, &0u32.to_be_bytes())
            .with(NFTA_SET_KEY_TYPE, &set.kind.number().to_be_bytes())
            .with(NFTA_SET_KEY_LEN, &set.kind.length().to_be_bytes())
            .with(NFTA_SET_ID, &ID.to_be_bytes());
        let operation = "create a set in the nftables table";
        self.nft(operation, table, libc::NFT_MSG_NEWSET, text);
        // Several messages of one transaction fill the set together.
        for members in set.members.chunks(ELEMENTS_AT_ONCE) {
            let text = Attributes::new()
                .text(NFTA_SET_ELEM_LIST_TABLE, table.name)
                .text(NFTA_SET_ELEM_LIST_SET, set.name)
                .nest(NFTA_SET_ELEM_LIST_ELEMENTS, elements(members));
            let operation = "fill a set of the nftables table";
            self.nft(operation, table, libc::NFT_MSG_NEWSETELEM, text);
        }
    }
}

fn elements(members: &[Vec<u8>]) -> Attributes {
    members.iter().fold(Attributes::new(), |list, member| {
        let value = Attributes::new().with(NFTA_DATA_VALUE, member);
        let key = Attributes::new().nest(NFTA_SET_ELEM_KEY, value);
        list.nest(NFTA_LIST_ELEM, key)
    })
}

/// Returns the bytes of an address as they are in a packet.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
