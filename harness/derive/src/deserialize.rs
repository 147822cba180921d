//! `Deserialize`, by way of a tree.

use std::fmt::Write;

use crate::attributes::SerdeAttributes;
use crate::item::{DerivedFields, DerivedKind, DerivedType, Field, Variant};

/// Returns the implementations for a type.
pub(crate) fn implement(item: &DerivedType) -> Result<String, String> {
    let body = body(item)?;
    let (name, generics) = (&item.name, &item.generics);
    if !generics.is_empty() {
        return Err("a type that is read from a text borrows nothing from it".to_owned());
    }
    Ok(format!(
        "#[automatically_derived]
        impl ::snowglobe_text::FromTree for {name} {{
            fn from_tree(tree: &::snowglobe_text::Tree) -> ::core::result::Result<Self, ::snowglobe_text::TreeError> {{
                {body}
            }}
        }}
        #[automatically_derived]
        impl<'de> ::serde_core::Deserialize<'de> for {name} {{
            fn deserialize<D: ::serde_core::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {{
                ::snowglobe_text::deserialize(from)
            }}
        }}"
    ))
}

fn body(item: &DerivedType) -> Result<String, String> {
    let attributes = &item.attributes;
    if let Some(of) = &attributes.try_from {
        return Ok(format!(
            "let value = <{of} as ::snowglobe_text::FromTree>::from_tree(tree)?;
            <Self as ::core::convert::TryFrom<{of}>>::try_from(value).map_err(|why| tree.error(&why))"
        ));
    }
    match &item.kind {
        DerivedKind::Struct(fields) => fields_body("Self", fields, attributes, None),
        // The error could not say which of the variants was meant: such a type reads by hand.
        DerivedKind::Enum(_) if attributes.untagged => {
            Err("snowglobe-derive writes untagged enums, and does not read them".to_owned())
        }
        DerivedKind::Enum(variants) => tagged(item, variants),
    }
}

/// Returns the code that makes a value of its fields, which the variable `tree` holds.
fn fields_body(
    path: &str,
    fields: &DerivedFields,
    container: &SerdeAttributes,
    tag: Option<&str>,
) -> Result<String, String> {
    let fields = match fields {
        DerivedFields::Named(fields) => &fields[..],
        DerivedFields::Unit => &[],
        DerivedFields::Tuple(of) => {
            let [attributes] = &of[..] else {
                return Err("snowglobe-derive knows tuples of one value only".to_owned());
            };
            let value = match reader(attributes) {
                Some(read) => format!("{read}(tree)?"),
                None => "::snowglobe_text::FromTree::from_tree(tree)?".to_owned(),
            };
            return Ok(format!("::core::result::Result::Ok({path}({value}))"));
        }
    };
    let names = fields.iter().filter(|field| !field.attributes.flatten);
    let names = names.map(|field| container.name_of(&field.ident, &field.attributes));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let is_strict = container.deny_unknown_fields;
    let tag = tag.unwrap_or_default();
    let mut code = format!("let fields = tree.fields(&{names:?}, {is_strict}, {tag:?})?;");
    if container.default.is_some() {
        code.push_str("let default: Self = ::core::default::Default::default();");
    }
    let _ = write!(code, "::core::result::Result::Ok({path} {{");
    for field in fields {
        let name = container.name_of(&field.ident, &field.attributes)?;
        let _ = write!(
            code,
            "{}: {}?,",
            field.ident,
            value(field, &name, container)
        );
    }
    code.push_str("})");
    Ok(code)
}

/// Returns the expression that reads a field, with an error.
fn value(field: &Field, name: &str, container: &SerdeAttributes) -> String {
    let attributes = &field.attributes;
    if attributes.flatten {
        return "::snowglobe_text::FromTree::from_tree(&fields.rest())".to_owned();
    }
    let default = match &attributes.default {
        Some(path) => Some(format!("{path}()")),
        None if container.default.is_some() => Some(format!("default.{}", field.ident)),
        None => None,
    };
    match (reader(attributes), default) {
        (None, None) => format!("fields.take({name:?})"),
        (None, Some(default)) => format!("fields.take_or({name:?}, {default})"),
        (Some(read), None) => format!("fields.take_by({name:?}, {read})"),
        (Some(read), Some(default)) => format!("fields.take_by_or({name:?}, {read}, {default})"),
    }
}

fn reader(attributes: &SerdeAttributes) -> Option<String> {
    let by_module = attributes.with.as_ref();
    let by_module = by_module.map(|module| format!("{module}::read"));
    attributes.deserialize_with.clone().or(by_module)
}

/// Returns the code for an enum whose variant is told by a name: the value itself, the only key of
/// a table, or the field that is the tag.
fn tagged(item: &DerivedType, variants: &[Variant]) -> Result<String, String> {
    let container = &item.attributes;
    let names = variants.iter();
    let names = names.map(|variant| container.name_of(&variant.ident, &variant.attributes));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let tag = container.tag.as_deref();
    let mut code = match tag {
        Some(tag) => format!("match tree.tag({tag:?}, &{names:?})? {{"),
        None => format!("let (index, inner) = tree.variant(&{names:?})?; match index {{"),
    };
    // The fields of a variant keep their names: `rename_all` is for the variants.
    let inner = SerdeAttributes {
        deny_unknown_fields: container.deny_unknown_fields,
        ..SerdeAttributes::default()
    };
    for (index, variant) in variants.iter().enumerate() {
        let path = format!("Self::{}", variant.ident);
        // A `match` of numbers takes an arm for all others, which the last one is.
        let pattern = match index + 1 == variants.len() {
            true => "_".to_owned(),
            false => index.to_string(),
        };
        let body = match (&variant.fields, tag) {
            (DerivedFields::Unit, None) => {
                format!(
                    "{{ ::snowglobe_text::no_content(inner)?; ::core::result::Result::Ok({path}) }}"
                )
            }
            (fields, None) => {
                let body = fields_body(&path, fields, &inner, None)?;
                format!("{{ let tree = ::snowglobe_text::content(tree, inner)?; {body} }}")
            }
            (fields, Some(_)) => {
                let body = fields_body(&path, fields, &inner, tag)?;
                format!("{{ {body} }}")
            }
        };
        let _ = write!(code, "{pattern} => {body}");
    }
    code.push('}');
    Ok(code)
}
