//! The attribute `#[serde(…)]` of a type, a variant or a field.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// All that attributes of one thing say.
#[derive(Default)]
pub(crate) struct SerdeAttributes {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<String>,
    /// What replaces a field that is absent: `Default::default`, or a function.
    pub(crate) default: Option<String>,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) tag: Option<String>,
    pub(crate) untagged: bool,
    pub(crate) try_from: Option<String>,
    pub(crate) into: Option<String>,
    pub(crate) flatten: bool,
    pub(crate) skip_serializing: bool,
    pub(crate) skip_serializing_if: Option<String>,
    pub(crate) with: Option<String>,
    pub(crate) deserialize_with: Option<String>,
}

impl SerdeAttributes {
    /// Reads the contents of the brackets of `#[…]`, unless they are those of another attribute.
    pub(crate) fn read(&mut self, brackets: &Group) -> Result<(), String> {
        let mut tokens = brackets.stream().into_iter();
        let is_ours =
            matches!(tokens.next(), Some(TokenTree::Ident(name)) if name.to_string() == "serde");
        let Some(TokenTree::Group(list)) = tokens.next().filter(|_| is_ours) else {
            return Ok(());
        };
        debug_assert_eq!(list.delimiter(), Delimiter::Parenthesis);
        self.read_list(list.stream())
    }

    fn read_list(&mut self, list: TokenStream) -> Result<(), String> {
        let mut tokens = list.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let name = token.to_string();
            let mut value = None;
            if matches!(tokens.peek(), Some(TokenTree::Punct(it)) if it.as_char() == '=') {
                tokens.next();
                let text = tokens.next().map(|text| text.to_string());
                value = text.map(|text| text.trim_matches('"').to_owned());
            }
            self.set(&name, value)?;
            // The comma is skipped.
            tokens.next();
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        match (name, value) {
            ("rename", Some(name)) => self.rename = Some(name),
            ("rename_all", Some(case)) => self.rename_all = Some(case),
            ("default", path) => {
                let path = path.unwrap_or_else(|| "::core::default::Default::default".to_owned());
                self.default = Some(path);
            }
            ("deny_unknown_fields", None) => self.deny_unknown_fields = true,
            ("tag", Some(field)) => self.tag = Some(field),
            ("untagged", None) => self.untagged = true,
            ("try_from", Some(of)) => self.try_from = Some(of),
            ("into", Some(of)) => self.into = Some(of),
            ("flatten", None) => self.flatten = true,
            ("skip_serializing", None) => self.skip_serializing = true,
            ("skip_serializing_if", Some(path)) => self.skip_serializing_if = Some(path),
            ("with", Some(module)) => self.with = Some(module),
            ("deserialize_with", Some(path)) => self.deserialize_with = Some(path),
            (name, _) => return Err(format!("snowglobe-derive does not know `serde({name})`")),
        }
        Ok(())
    }

    /// Returns the name in texts of a field, or of a variant, whose container has these attributes.
    pub(crate) fn name_of(&self, ident: &str, own: &SerdeAttributes) -> Result<String, String> {
        if let Some(name) = &own.rename {
            return Ok(name.clone());
        }
        let ident = ident.strip_prefix("r#").unwrap_or(ident);
        Ok(match self.rename_all.as_deref() {
            None => ident.to_owned(),
            Some("lowercase") => ident.to_lowercase(),
            Some("snake_case") => separated(ident, '_'),
            Some("kebab-case") => separated(ident, '-'),
            Some(case) => return Err(format!("snowglobe-derive does not know the case {case}")),
        })
    }
}

/// Returns `one_way` for `OneWay`.
fn separated(ident: &str, by: char) -> String {
    let mut name = String::new();
    for letter in ident.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push(by);
        }
        name.extend(letter.to_lowercase());
    }
    name
}
