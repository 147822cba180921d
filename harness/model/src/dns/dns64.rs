//! DNS64 (RFC 6147): IPv6 addresses for names that have IPv4 addresses alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use snowglobe_derive::{Deserialize, Serialize};

use crate::dns::name::DomainName;
use crate::topology::Subnet;
use crate::v6::{EmbeddingPrefix, Nat64Spec, PrefixError};

/// DNS64 in a name server (RFC 6147): it answers a question for the IPv6 addresses of a name that
/// has none with addresses by which a NAT64 leads to its IPv4 addresses. A name that has IPv6
/// addresses keeps them. Such addresses have names (PTR) as well.
///
/// The name `ipv4only.arpa` tells hosts the prefix (RFC 7050).
///
/// ```
/// use snowglobe_model::dns::{Dns64Spec, DnsSpec};
///
/// let dns = DnsSpec::new().dns64(Dns64Spec::new());
/// # drop(dns);
/// ```
///
/// In TOML: `dns.dns64 = {}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns64Spec {
    pub(crate) prefix: String,
    /// The networks of the hosts that get such answers; none for hosts without IPv4.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) clients: Vec<String>,
}

impl Default for Dns64Spec {
    fn default() -> Self {
        Self {
            prefix: Nat64Spec::default().prefix,
            clients: Vec::new(),
        }
    }
}

impl Dns64Spec {
    /// Returns a DNS64 with the well-known prefix, for all hosts without an IPv4 address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the prefix, which is that of a NAT64.
    pub fn prefix(mut self, prefix: impl ToString) -> Self {
        self.prefix = prefix.to_string();
        self
    }

    /// Gives such answers to the hosts of a network, and not to those without an IPv4 address
    /// because of that. May be called for several networks.
    pub fn client(mut self, network: impl ToString) -> Self {
        self.clients.push(network.to_string());
        self
    }

    /// Returns what is wrong with the prefix or a network.
    pub(super) fn wrong(&self) -> Option<PrefixError> {
        let prefix = self.prefix.parse::<EmbeddingPrefix>().err();
        let client = |text: &String| text.parse::<Subnet>().err();
        prefix.or_else(|| Some(self.clients.iter().find_map(client)?.into()))
    }
}

/// The work of a DNS64.
#[derive(Clone, Debug)]
pub(super) struct Synthesis {
    prefix: EmbeddingPrefix,
    clients: Vec<Subnet>,
}

/// The name that has IPv4 addresses alone, and those addresses (RFC 7050, section 3; RFC 8880,
/// section 7).
const ONLY_V4: &str = "ipv4only.arpa";
pub(super) const ONLY_V4_ADDRESSES: [Ipv4Addr; 2] =
    [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

impl Synthesis {
    /// Reads a specification; there is none for one that the check of the topology refuses.
    pub(super) fn of(spec: &Dns64Spec) -> Option<Self> {
        let clients = spec.clients.iter().map(|text| text.parse());
        Some(Self {
            prefix: spec.prefix.parse().ok()?,
            clients: clients.collect::<Result<_, _>>().ok()?,
        })
    }

    /// Returns whether an asker gets made-up answers. `has_v4` says whether the asker is a node of
    /// the lab that has an IPv4 address.
    pub(super) fn is_for(&self, asker: IpAddr, has_v4: bool) -> bool {
        match self.clients[..] {
            [] => asker.is_ipv6() && !has_v4,
            _ => self.clients.iter().any(|network| network.contains(asker)),
        }
    }

    /// Returns the address by which a NAT64 leads to an IPv4 address, if it does.
    pub(super) fn address(&self, v4: Ipv4Addr) -> Option<Ipv6Addr> {
        self.prefix.admits(v4).then(|| self.prefix.embed(v4))
    }

    /// Returns the name under which the IPv4 address within an IPv6 address has its name (section
    /// 5.3.1).
    pub(super) fn reverse(&self, address: IpAddr) -> Option<DomainName> {
        let IpAddr::V6(v6) = address else {
            return None;
        };
        let [a, b, c, d] = self.prefix.extract(v6)?.octets();
        Some(DomainName::as_asked(&format!(
            "{d}.{c}.{b}.{a}.in-addr.arpa"
        )))
    }

    /// Returns whether a name is the one that has IPv4 addresses alone.
    pub(super) fn is_only_v4(name: &DomainName) -> bool {
        name.as_str() == ONLY_V4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::catalog::{Catalog, Found, Lookup};
    use crate::dns::lab_names::LabNames;
    use crate::dns::record::RecordData;
    use crate::dns::{DnsSpec, RecordKind, Zone};
    use crate::topology::{Families, LinkSpec, NodeSpec, Topology, TopologyErrorKind};

    /// Makes a name server, a host of IPv6 alone, one of both families, and the catalog of the
    /// server.
    fn world(dns64: Dns64Spec) -> (Catalog, [IpAddr; 2]) {
        let zone = Zone::new("example.org").text(
            "old A 192.0.2.80\nold A 10.0.0.7\nboth A 192.0.2.81\nboth AAAA 2001:db8::81\nmapped A 192.0.2.82\nmapped AAAA ::ffff:192.0.2.82\nalias 30 CNAME old\nprivate A 10.0.0.7\ntext TXT hello",
        );
        let reverse = Zone::new("2.0.192.in-addr.arpa").record("80 PTR old.example.org.");
        let spec = DnsSpec::new().zone(zone).zone(reverse).dns64(dns64);
        let mut topology = Topology::new();
        let names = topology.node(NodeSpec::new("names").dns(spec.clone()));
        let (phone, desk) = (topology.node("phone"), topology.node("desk"));
        topology.link_with(phone, names, LinkSpec::new().families(Families::V6));
        topology.link(desk, names);
        let plan = topology.plan().unwrap();
        let v6 = |node| plan.stack(node).primary().find(IpAddr::is_ipv6).unwrap();
        let askers = [phone, desk].map(v6);
        (Catalog::new(&spec, "lab", LabNames::of(&plan)), askers)
    }

    fn find(catalog: &Catalog, name: &str, kind: RecordKind, asker: IpAddr) -> Found {
        catalog.find(&DomainName::as_asked(name), kind, asker)
    }

    fn addresses(found: &Found) -> Vec<String> {
        let address = |data: &RecordData| {
            if let RecordData::Aaaa(v6) = data {
                Some(v6.to_string())
            } else {
                None
            }
        };
        found
            .records
            .iter()
            .filter_map(|it| address(&it.data))
            .collect()
    }

    #[test]
    fn names_with_ipv4_alone_get_addresses_that_lead_to_a_nat64() {
        let (catalog, [phone, desk]) = world(Dns64Spec::new());
        let asked = |name| find(&catalog, name, RecordKind::Aaaa, phone);
        // The private address is not behind the well-known prefix.
        assert_eq!(addresses(&asked("old.example.org")), ["64:ff9b::c000:250"]);
        assert_eq!(addresses(&asked("both.example.org")), ["2001:db8::81"]);
        assert_eq!(
            addresses(&asked("mapped.example.org")),
            ["64:ff9b::c000:252"]
        );
        let alias = asked("alias.example.org");
        assert_eq!(addresses(&alias), ["64:ff9b::c000:250"]);
        assert_eq!(alias.records.len(), 2, "the alias, and what it stands for");
        assert_eq!(asked("private.example.org").what, Lookup::NoData);
        assert_eq!(asked("text.example.org").what, Lookup::NoData);
        assert_eq!(asked("nobody.example.org").what, Lookup::NoName);
        let own = asked("ipv4only.arpa");
        assert_eq!(addresses(&own), ["64:ff9b::c000:aa", "64:ff9b::c000:ab"]);
        // Hosts with IPv4 are left alone, by whichever family they ask.
        for asker in [desk, IpAddr::from([10, 0, 0, 9])] {
            let found = find(&catalog, "old.example.org", RecordKind::Aaaa, asker);
            assert_eq!(found.what, Lookup::NoData, "{asker}");
        }
    }

    #[test]
    fn an_own_prefix_leads_to_private_addresses_and_to_the_clients_that_were_named() {
        let spec = Dns64Spec::new()
            .prefix("2001:db8:64::/96")
            .client("0.0.0.0/0");
        let (catalog, [phone, _]) = world(spec);
        let desk = IpAddr::from([10, 0, 0, 9]);
        let found = find(&catalog, "private.example.org", RecordKind::Aaaa, desk);
        assert_eq!(addresses(&found), ["2001:db8:64::a00:7"]);
        let found = find(&catalog, "private.example.org", RecordKind::Aaaa, phone);
        assert_eq!(found.what, Lookup::NoData);
    }

    #[test]
    fn made_up_addresses_have_the_names_of_those_within() {
        let (catalog, [phone, _]) = world(Dns64Spec::new());
        let reverse = |v6: &str| {
            let v6: Ipv6Addr = v6.parse().unwrap();
            let digits = format!("{:032x}", v6.to_bits());
            let labels: Vec<String> = digits.chars().rev().map(String::from).collect();
            let name = format!("{}.ip6.arpa", labels.join("."));
            find(&catalog, &name, RecordKind::Ptr, phone)
        };
        let found = reverse("64:ff9b::c000:250");
        let data: Vec<&RecordData> = found.records.iter().map(|it| &it.data).collect();
        let name = |text| DomainName::as_asked(text);
        let expected = [
            &RecordData::Cname(name("80.2.0.192.in-addr.arpa")),
            &RecordData::Ptr(name("old.example.org")),
        ];
        assert_eq!(data, expected);
        assert_eq!(reverse("64:ff9b::c000:201").what, Lookup::NoName);
        assert_eq!(reverse("2001:db8::1").records, []);
    }

    #[test]
    fn a_wrong_prefix_or_client_is_refused() {
        for (spec, text) in [
            (
                Dns64Spec::new().prefix("64:ff9b::/97"),
                "32, 40, 48, 56, 64 or 96",
            ),
            (Dns64Spec::new().client("everybody"), "is not a subnet"),
        ] {
            let mut topology = Topology::new();
            let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().dns64(spec)));
            let phone = topology.node("phone");
            topology.link(names, phone);
            let error = topology.validate().unwrap_err();
            assert_eq!(error.kind(), TopologyErrorKind::Invalid);
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
