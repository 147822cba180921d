//! A NAT in TOML: the name of a preset, `nat = "full_cone"`, or a table of its behaviours.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::preset;
use super::spec::NatSpec;

/// Reads a NAT, for a field that may be left out.
pub(crate) fn preset_or_spec<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<NatSpec>, D::Error> {
    from.deserialize_any(PresetOrSpec).map(Some)
}

struct PresetOrSpec;

impl<'de> Visitor<'de> for PresetOrSpec {
    type Value = NatSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a NAT preset, or a table of its behaviours")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<NatSpec, E> {
        preset::by_name(name).ok_or_else(|| {
            let names = preset::ALL.map(|(name, _)| name).join(", ");
            E::custom(format!(
                "there is no NAT preset `{name}`; the presets are {names}"
            ))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<NatSpec, A::Error> {
        NatSpec::deserialize(MapAccessDeserializer::new(table))
    }
}
