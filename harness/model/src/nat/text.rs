//! A NAT in TOML: the name of a preset, `nat = "full_cone"`, or a table of its behaviours.

use snowglobe_text::{FromTree, Tree, TreeContent, TreeError};

use super::preset;
use super::spec::NatSpec;

/// Reads a NAT, for a field that may be left out.
pub(crate) fn preset_or_spec(tree: &Tree) -> Result<Option<NatSpec>, TreeError> {
    if matches!(tree.content, TreeContent::Table(_)) {
        return NatSpec::from_tree(tree).map(Some);
    }
    let name = tree.text("the name of a NAT preset, or a table of its behaviours")?;
    let known = preset::by_name(name).ok_or_else(|| {
        let names = preset::ALL.map(|(name, _)| name).join(", ");
        tree.error(&format_args!(
            "there is no NAT preset `{name}`; the presets are {names}"
        ))
    });
    known.map(Some)
}
