//! `Serialize`, as serde_derive has it.

use std::fmt::Write;

use crate::attributes::SerdeAttributes;
use crate::item::{DerivedFields, DerivedKind, DerivedType, Field, Variant};

/// Returns the implementations for a type.
pub(crate) fn implement(item: &DerivedType) -> Result<String, String> {
    let (name, generics) = (&item.name, &item.generics);
    let is_inner = item.attributes.tag.is_some();
    let body = match &item.kind {
        _ if item.attributes.into.is_some() => {
            let of = item.attributes.into.as_deref().unwrap_or_default();
            format!(
                "::serde_core::Serialize::serialize(
                    &<{of} as ::core::convert::From<Self>>::from(::core::clone::Clone::clone(self)), to)"
            )
        }
        DerivedKind::Struct(fields) => structure(item, fields)?,
        DerivedKind::Enum(_) if is_inner => {
            "let mut to = to.serialize_map(::core::option::Option::None)?;
            self.write_fields(&mut to)?;
            ::serde_core::ser::SerializeMap::end(to)"
                .to_owned()
        }
        DerivedKind::Enum(variants) => arms(item, variants, outer_arm)?,
    };
    let mut code = format!(
        "#[automatically_derived]
        impl{generics} ::serde_core::Serialize for {name}{generics} {{
            fn serialize<S: ::serde_core::Serializer>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {{
                {body}
            }}
        }}"
    );
    if let (true, DerivedKind::Enum(variants)) = (is_inner, &item.kind) {
        let body = arms(item, variants, inner_arm)?;
        let _ = write!(
            code,
            "#[automatically_derived]
            impl{generics} {name}{generics} {{
                #[doc(hidden)]
                pub fn write_fields<M: ::serde_core::ser::SerializeMap>(&self, to: &mut M) -> ::core::result::Result<(), M::Error> {{
                    {body}
                    ::core::result::Result::Ok(())
                }}
            }}"
        );
    }
    Ok(code)
}

fn structure(item: &DerivedType, fields: &DerivedFields) -> Result<String, String> {
    let fields = match fields {
        DerivedFields::Named(fields) => &fields[..],
        DerivedFields::Tuple(of) if of.len() == 1 => {
            return Ok(format!(
                "to.serialize_newtype_struct({:?}, &self.0)",
                item.name
            ));
        }
        DerivedFields::Unit | DerivedFields::Tuple(_) => {
            return Err("no text form of this struct".to_owned());
        }
    };
    // A struct with the fields of another among its own is a map.
    let is_map = fields.iter().any(|field| field.attributes.flatten);
    let (method, kind) = match is_map {
        true => ("serialize_entry", "SerializeMap"),
        false => ("serialize_field", "SerializeStruct"),
    };
    let to = SerializerCall {
        kind,
        method,
        to: "&mut to",
    };
    let begin = match is_map {
        true => "to.serialize_map(::core::option::Option::None)?".to_owned(),
        false => format!("to.serialize_struct({:?}, {})?", item.name, fields.len()),
    };
    let mut code = format!("let mut to = {begin};");
    for field in fields {
        let of = format!("&self.{}", field.ident);
        code.push_str(&write_field(field, &of, &item.attributes, &to)?);
    }
    let _ = write!(code, "::serde_core::ser::{kind}::end(to)");
    Ok(code)
}

/// A call by which a field is written: the trait of serde, its method, and the value that has the
/// trait.
struct SerializerCall<'a> {
    kind: &'a str,
    method: &'a str,
    to: &'a str,
}

/// Returns the statement that writes a field, to which the expression `of` refers.
fn write_field(
    field: &Field,
    of: &str,
    container: &SerdeAttributes,
    call: &SerializerCall<'_>,
) -> Result<String, String> {
    let SerializerCall { kind, method, to } = call;
    let attributes = &field.attributes;
    if attributes.skip_serializing {
        return Ok(String::new());
    }
    if attributes.flatten {
        return Ok(format!("({of}).write_fields({to})?;"));
    }
    let name = container.name_of(&field.ident, attributes)?;
    let written = written(attributes, of);
    let write = format!("::serde_core::ser::{kind}::{method}({to}, {name:?}, {written})?;");
    Ok(match &attributes.skip_serializing_if {
        Some(skip) => format!("if !{skip}({of}) {{ {write} }}"),
        None => write,
    })
}

/// Returns the expression of what is written for the value to which `of` refers.
fn written(attributes: &SerdeAttributes, of: &str) -> String {
    match &attributes.with {
        Some(module) => format!("&{module}::write({of})"),
        None => of.to_owned(),
    }
}

type Arm = fn(&DerivedType, usize, &Variant, &str) -> Result<String, String>;

fn arms(item: &DerivedType, variants: &[Variant], arm: Arm) -> Result<String, String> {
    let mut code = "match self {".to_owned();
    for (index, variant) in variants.iter().enumerate() {
        let name = item
            .attributes
            .name_of(&variant.ident, &variant.attributes)?;
        let pattern = match &variant.fields {
            DerivedFields::Unit => String::new(),
            DerivedFields::Tuple(of) if of.len() == 1 => "(inner)".to_owned(),
            DerivedFields::Tuple(_) => return Err("no text form of this variant".to_owned()),
            DerivedFields::Named(fields) => {
                let idents = fields.iter().map(|field| field.ident.as_str());
                format!("{{ {} }}", idents.collect::<Vec<_>>().join(", "))
            }
        };
        let body = arm(item, index, variant, &name)?;
        let _ = write!(code, "Self::{} {pattern} => {{ {body} }}", variant.ident);
    }
    code.push('}');
    Ok(code)
}

/// Returns the code for a variant that is told by its name, or by its form.
fn outer_arm(
    item: &DerivedType,
    index: usize,
    variant: &Variant,
    name: &str,
) -> Result<String, String> {
    let is_untagged = item.attributes.untagged;
    let head = format!("{:?}, {index}, {name:?}", item.name);
    Ok(match &variant.fields {
        DerivedFields::Unit if is_untagged => "to.serialize_unit()".to_owned(),
        DerivedFields::Unit => format!("to.serialize_unit_variant({head})"),
        DerivedFields::Tuple(of) => {
            let inner = written(&of[0], "inner");
            match is_untagged {
                true => format!("::serde_core::Serialize::serialize({inner}, to)"),
                false => format!("to.serialize_newtype_variant({head}, {inner})"),
            }
        }
        DerivedFields::Named(fields) => {
            let (kind, begin) = match is_untagged {
                true => (
                    "SerializeStruct",
                    format!("to.serialize_struct({:?}, {})?", item.name, fields.len()),
                ),
                false => (
                    "SerializeStructVariant",
                    format!("to.serialize_struct_variant({head}, {})?", fields.len()),
                ),
            };
            let call = SerializerCall {
                kind,
                method: "serialize_field",
                to: "&mut to",
            };
            let fields = named(fields, &call)?;
            format!("let mut to = {begin}; {fields} ::serde_core::ser::{kind}::end(to)")
        }
    })
}

/// Returns the code for a variant whose name is a field beside its own.
fn inner_arm(
    item: &DerivedType,
    _: usize,
    variant: &Variant,
    name: &str,
) -> Result<String, String> {
    let tag = item.attributes.tag.as_deref().unwrap_or_default();
    let fields = match &variant.fields {
        DerivedFields::Unit => String::new(),
        DerivedFields::Tuple(_) => "inner.write_fields(to)?;".to_owned(),
        DerivedFields::Named(fields) => {
            let call = SerializerCall {
                kind: "SerializeMap",
                method: "serialize_entry",
                to: "to",
            };
            named(fields, &call)?
        }
    };
    Ok(format!(
        "::serde_core::ser::SerializeMap::serialize_entry(to, {tag:?}, {name:?})?; {fields}"
    ))
}

fn named(fields: &[Field], call: &SerializerCall<'_>) -> Result<String, String> {
    let container = SerdeAttributes::default();
    let write = |field: &Field| write_field(field, &field.ident, &container, call);
    fields.iter().map(write).collect()
}
