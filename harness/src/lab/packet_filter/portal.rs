//! The page of a captive portal.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::kernel::thread;
use crate::trial::time_scale::stretched;

/// The longest time that a client takes to ask, and to hear the answer. A client that takes longer
/// gets no page.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a request, without its content.
const REQUEST: usize = 16 << 10;

/// Answers a request for any page with that of the portal, on a thread of its own: a slow client
/// keeps no other one waiting.
pub(super) fn answer(client: TcpStream, page: String) {
    let serve = move || {
        // A client that went away needs no page.
        let _ = serve(client, &page);
    };
    // Without a thread the client sees the connection closed.
    let _ = thread::start("captive portal", serve);
}

fn serve(mut client: TcpStream, page: &str) -> std::io::Result<()> {
    let end = Instant::now() + stretched(PATIENCE);
    client.set_write_timeout(Some(stretched(PATIENCE)))?;
    let mut request: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    let status = loop {
        match read_until(&mut client, &mut buffer, end)? {
            0 => return Ok(()),
            length => request.extend(&buffer[..length]),
        }
        if has_whole_header(&request) {
            // RFC 6585, section 6: a network that asks for a login answers with 511, so that no
            // client takes the page for that of the server.
            break match method(&request) {
                Some(_) => "511 Network Authentication Required",
                None => "400 Bad Request",
            };
        }
        if request.len() > REQUEST {
            break "431 Request Header Fields Too Large";
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Cache-Control: no-store\r\n\
         Connection: close\r\n\r\n",
        page.len()
    );
    // RFC 9110, section 9.3.2: the answer to HEAD has the header of that to GET, and no content.
    let content = match method(&request) {
        Some(b"HEAD") => "",
        Some(_) | None => page,
    };
    client.write_all([head.as_bytes(), content.as_bytes()].concat().as_slice())?;
    // A connection that is closed while something of the client is unread is reset, and the client
    // may lose the answer by that (RFC 9112, section 9.6). So the content of a POST is read.
    client.shutdown(Shutdown::Write)?;
    while read_until(&mut client, &mut buffer, end)? > 0 {}
    Ok(())
}

/// Reads once, and fails if nothing comes before `end`.
fn read_until(client: &mut TcpStream, buffer: &mut [u8], end: Instant) -> std::io::Result<usize> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(std::io::ErrorKind::TimedOut.into());
    }
    client.set_read_timeout(Some(left))?;
    client.read(buffer)
}

/// Returns whether a request has arrived as far as the empty line behind its header. A line may end
/// without a carriage return (RFC 9112, section 2.2).
fn has_whole_header(request: &[u8]) -> bool {
    let request = without_leading_lines(request);
    request.windows(2).any(|end| end == b"\n\n") || request.windows(3).any(|end| end == b"\n\r\n")
}

/// Returns a request without the empty lines in front of it, which some clients send behind the
/// content of a request before (RFC 9112, section 2.2).
fn without_leading_lines(request: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let first = request.iter().position(is_part);
    &request[first.unwrap_or(request.len())..]
}

/// Returns the method of a request; nothing if the request is not one of HTTP.
fn method(request: &[u8]) -> Option<&[u8]> {
    let mut lines = without_leading_lines(request).split(|byte| *byte == b'\n');
    let mut words = lines.next()?.trim_ascii_end().split(|byte| *byte == b' ');
    let method = words.next().filter(|it| !it.is_empty())?;
    let is_method = method.iter().all(u8::is_ascii_graphic);
    let version = words.nth(1)?;
    (is_method && version.starts_with(b"HTTP/") && words.next().is_none()).then_some(method)
}
