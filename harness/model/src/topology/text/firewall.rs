//! A firewall in TOML: the name of one, `firewall = "udp_blocked"`, or a table of its rules.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::topology::router::Firewall;

/// The firewalls that have names.
const NAMED: [(&str, fn() -> Firewall); 4] = [
    ("open", Firewall::open),
    ("inbound_block", Firewall::inbound_block),
    ("udp_blocked", Firewall::udp_blocked),
    ("web_only", Firewall::web_only),
];

/// Reads a firewall, for a field that may be left out.
pub(crate) fn name_or_firewall<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Firewall>, D::Error> {
    from.deserialize_any(NameOrFirewall).map(Some)
}

struct NameOrFirewall;

impl<'de> Visitor<'de> for NameOrFirewall {
    type Value = Firewall;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a firewall, or a table of its rules")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Firewall, E> {
        let named = NAMED.iter().find(|(known, _)| *known == name);
        named.map(|(_, make)| make()).ok_or_else(|| {
            let names = NAMED.map(|(name, _)| name).join(", ");
            E::custom(format!(
                "there is no firewall `{name}`; those with names are {names}, and others are tables"
            ))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Firewall, A::Error> {
        Firewall::deserialize(MapAccessDeserializer::new(table))
    }
}
