//! A firewall in TOML: the name of one, `firewall = "udp_blocked"`, or a table of its rules.

use snowglobe_text::{FromTree, Tree, TreeContent, TreeError, is_name};

use crate::topology::router::Firewall;

/// A name, and the function that makes the firewall of that name.
type NamedFirewall = (&'static str, fn() -> Firewall);

/// The firewalls that have names.
const NAMED: [NamedFirewall; 5] = [
    ("open", Firewall::open),
    ("home", Firewall::home),
    ("inbound_block", Firewall::inbound_block),
    ("udp_blocked", Firewall::udp_blocked),
    ("web_only", Firewall::web_only),
];

/// Reads a firewall, for a field that may be left out.
pub(crate) fn name_or_firewall(tree: &Tree) -> Result<Option<Firewall>, TreeError> {
    if matches!(tree.content, TreeContent::Table(_)) {
        return Firewall::from_tree(tree).map(Some);
    }
    let name = tree.text("the name of a firewall, or a table of its rules")?;
    let named = NAMED.iter().find(|(known, _)| is_name(name, known));
    named.map(|(_, make)| Some(make())).ok_or_else(|| {
        let names = NAMED.map(|(name, _)| name).join(", ");
        tree.error(&format_args!(
            "there is no firewall `{name}`; those with names are {names}, and others are tables"
        ))
    })
}
