//! What a test asks of a name server of the lab.

use snowglobe_derive::{Deserialize, Serialize};

use crate::dns::dns64::Dns64Spec;

/// A name server that runs in a node, and that all nodes of the lab ask.
///
/// The server knows the nodes of the lab by their names, also the other way round, and the zones
/// that are given by hand. Whatever else the server is asked for does not exist (NXDOMAIN).
///
/// With a name server, the hosts file of each node has the node's own names alone, and its
/// `resolv.conf` leads to the server.
///
/// ```
/// use snowglobe_model::dns::{DnsSpec, Zone};
/// use snowglobe_model::topology::{NodeSpec, Topology};
///
/// let zone = Zone::new("example.org")
///     .record("www 60 A 192.0.2.80")
///     .record("*.dev CNAME www")
///     .record("_http._tcp SRV 0 5 8080 www")
///     .record("@ TXT \"v=spf1 -all\"");
/// let mut topology = Topology::new();
/// let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone)));
/// let client = topology.node("client");
/// topology.link(names, client);
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsSpec {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) zones: Vec<Zone>,
    /// Seconds for which answers may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hosts_files: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dns64: Option<Dns64Spec>,
}

/// Names that a server knows: the lines of a zone, each with one record.
///
/// A line is written as in the files of name servers (RFC 1035, section 5.1), on one line and with
/// the name in each: a name (`@` is the zone itself), perhaps the seconds for which the answer may
/// be kept, a type and its data. A name without a dot at its end is within the zone. The types are
/// A, AAAA, CNAME, MX, NS, PTR, SRV and TXT. The first label may be `*` (RFC 4592).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) records: Vec<String>,
}

impl DnsSpec {
    /// Returns a server that knows the nodes of the lab.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a zone.
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zones.push(zone);
        self
    }

    /// Sets the seconds for which answers may be kept, where a record says nothing of it: 60 unless
    /// set.
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = Some(seconds);
        self
    }

    /// Gives hosts without IPv4 addresses by which a NAT64 leads to hosts without IPv6: see
    /// [`Dns64Spec`].
    pub fn dns64(mut self, dns64: Dns64Spec) -> Self {
        self.dns64 = Some(dns64);
        self
    }

    /// Leaves the names of all nodes in the hosts files as well, which are looked into before the
    /// server is asked.
    pub fn keep_hosts_files(mut self) -> Self {
        self.hosts_files = true;
        self
    }
}

impl Zone {
    /// Returns a zone without records, such as `example.org`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            records: Vec::new(),
        }
    }

    /// Adds a record, as a line of a zone: `www 60 A 192.0.2.80`.
    pub fn record(mut self, line: impl Into<String>) -> Self {
        self.records.push(line.into());
        self
    }

    /// Adds all records of a text, one on each line. A semicolon begins a comment.
    pub fn text(mut self, text: &str) -> Self {
        self.records.extend(text.lines().map(str::to_owned));
        self
    }
}
