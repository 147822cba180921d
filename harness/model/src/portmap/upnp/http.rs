//! Requests of HTTP, as they come in pieces (RFC 9112), and responses.

use super::ssdp::SERVER;

/// The most bytes of a request's head.
const HEAD: usize = 8 << 10;
/// The most bytes of a request's body.
const BODY: usize = 64 << 10;

/// A request with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The field SOAPAction, without quotes.
    pub(super) soap_action: Option<String>,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// The bytes that have come so far, as a part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpPart {
    /// More has to come.
    More,
    /// A whole request.
    Whole(HttpRequest),
    /// No request; the response tells why.
    Wrong(Vec<u8>),
}

/// Reads a request from the bytes that have come so far.
pub fn read(bytes: &[u8]) -> HttpPart {
    let wrong = |status: &str| HttpPart::Wrong(response(status, ""));
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
        return match bytes.len() > HEAD {
            true => wrong("431 Request Header Fields Too Large"),
            false => HttpPart::More,
        };
    };
    if end > HEAD {
        return wrong("431 Request Header Fields Too Large");
    }
    let body = &bytes[end + 4..];
    let Some(head) = HttpHead::read(&bytes[..end + 4]) else {
        return wrong("400 Bad Request");
    };
    if head.field("Transfer-Encoding").is_some() {
        return wrong("411 Length Required");
    }
    let length: usize = match head.field("Content-Length").map(str::parse) {
        None => 0,
        Some(Ok(length)) => length,
        Some(Err(_)) => return wrong("400 Bad Request"),
    };
    if length > BODY {
        return wrong("413 Content Too Large");
    }
    match body.get(..length) {
        None => HttpPart::More,
        Some(body) => HttpPart::Whole(HttpRequest {
            method: head.method.into(),
            path: head.path.into(),
            soap_action: (head.field("SOAPAction")).map(|it| it.trim_matches('"').to_owned()),
            body: body.to_vec(),
        }),
    }
}

/// Returns a response with a body in XML, after which the connection is closed.
pub(super) fn response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: {length}\r\nConnection: close\r\nServer: {SERVER}\r\n\r\n{body}"
    );
    text.into_bytes()
}

/// The head of a request.
pub(super) struct HttpHead<'b> {
    pub(super) method: &'b str,
    pub(super) path: &'b str,
    fields: Vec<(&'b str, &'b str)>,
}

impl<'b> HttpHead<'b> {
    /// Reads a head, up to its empty line.
    pub(super) fn read(bytes: &'b [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, path, version) = (first.next()?, first.next()?, first.next()?);
        if !version.starts_with("HTTP/1.") || first.next().is_some() {
            return None;
        }
        let mut fields = Vec::new();
        for line in lines {
            if line.is_empty() {
                return Some(Self {
                    method,
                    path,
                    fields,
                });
            }
            let (name, value) = line.split_once(':')?;
            fields.push((name, value.trim()));
        }
        // The empty line is missing: the message is cut off.
        None
    }

    /// Returns the value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&'b str> {
        let mut all = self.fields.iter();
        let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }
}
