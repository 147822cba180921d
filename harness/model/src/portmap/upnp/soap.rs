//! The call that a request carries, and its answer (UPnP Device Architecture 1.1, section 3).
//!
//! A call is three elements within each other, with the arguments inside. A reader of that alone is
//! shorter than one of all XML, and is fed garbage by a fuzz target.

use super::device::escape;
use super::http::{HttpRequest, response};

/// The most elements within each other.
const DEEPEST: usize = 8;

/// A call of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SoapCall {
    /// The type of the service, with its version.
    pub(super) service: String,
    /// The name of the action.
    pub(super) action: String,
    arguments: Vec<(String, String)>,
}

/// A refusal of a call: its number and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UpnpError(pub(super) u16, pub(super) &'static str);

impl SoapCall {
    /// Reads the call of a request.
    pub(super) fn of(request: &HttpRequest) -> Option<SoapCall> {
        let (service, action) = request.soap_action.as_deref()?.rsplit_once('#')?;
        let arguments = arguments(std::str::from_utf8(&request.body).ok()?, action)?;
        Some(SoapCall {
            service: service.into(),
            action: action.into(),
            arguments,
        })
    }

    /// Returns an argument.
    pub(super) fn argument(&self, name: &str) -> Option<&str> {
        let mut all = self.arguments.iter();
        let found = all.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the answer to the call, with the results.
    pub(super) fn answer(&self, results: &[(&str, String)]) -> Vec<u8> {
        let result = |(name, value): &(&str, String)| format!("<{name}>{}</{name}>", escape(value));
        let results: String = results.iter().map(result).collect();
        let (action, service) = (escape(&self.action), escape(&self.service));
        let body =
            format!("<u:{action}Response xmlns:u=\"{service}\">{results}</u:{action}Response>");
        response("200 OK", &envelope(&body))
    }
}

impl UpnpError {
    /// Returns the answer that refuses a call.
    pub(super) fn answer(self) -> Vec<u8> {
        let UpnpError(code, text) = self;
        let body = format!(
            "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>{code}</errorCode><errorDescription>{text}</errorDescription></UPnPError></detail></s:Fault>"
        );
        response("500 Internal Server Error", &envelope(&body))
    }
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>{body}</s:Body></s:Envelope>\n"
    )
}

/// An element that has begun: its name without a prefix, its text, and whether elements are in it.
struct Open<'t> {
    name: &'t str,
    text: String,
    has_children: bool,
}

/// Reads the arguments of an action: the elements within `Envelope`, `Body` and the action. Nothing
/// is returned for what is no such document.
fn arguments(mut text: &str, action: &str) -> Option<Vec<(String, String)>> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let (mut arguments, mut complete) = (Vec::new(), false);
    while let Some(at) = text.find('<') {
        let before = unescape(&text[..at])?;
        match open.last_mut() {
            Some(element) => element.text.push_str(&before),
            // Only white space stands outside of the document.
            None if before.trim().is_empty() => {}
            None => return None,
        }
        text = &text[at + 1..];
        if let Some(comment) = text.strip_prefix("!--") {
            text = &comment[comment.find("-->")? + 3..];
            continue;
        }
        if let Some(instruction) = text.strip_prefix('?') {
            text = &instruction[instruction.find("?>")? + 2..];
            continue;
        }
        // A document type could define entities that grow without end.
        if text.starts_with('!') {
            return None;
        }
        let end = end_of_tag(text)?;
        let (tag, rest) = (&text[..end], &text[end + 1..]);
        text = rest;
        if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop().filter(|it| it.name == local(name.trim_end()))?;
            let path: Vec<&str> = open.iter().map(|it| it.name).collect();
            if path == ["Envelope", "Body", action] && !element.has_children {
                arguments.push((element.name.to_owned(), element.text));
            }
            complete |= path == ["Envelope", "Body"] && element.name == action;
            continue;
        }
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let name = local(tag.split(char::is_whitespace).next()?);
        if name.is_empty() || open.len() == DEEPEST {
            return None;
        }
        if let Some(parent) = open.last_mut() {
            parent.has_children = true;
        }
        let path: Vec<&str> = open.iter().map(|it| it.name).collect();
        match is_empty {
            true if path == ["Envelope", "Body", action] => {
                arguments.push((name.to_owned(), String::new()));
            }
            // An action without arguments.
            true => complete |= path == ["Envelope", "Body"] && name == action,
            false => open.push(Open {
                name,
                text: String::new(),
                has_children: false,
            }),
        }
    }
    let at_end = open.is_empty() && text.trim().is_empty();
    (at_end && complete).then_some(arguments)
}

/// Returns the place of the `>` that ends a tag; values of attributes may have one, too.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some(_), _) => {}
        }
    }
    None
}

/// Returns a name without its prefix. Every prefix is taken for the right one.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Returns a text without its references to characters.
fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        let (name, after) = rest[at + 1..].split_once(';')?;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}
