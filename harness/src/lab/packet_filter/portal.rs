//! The page of a captive portal.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::kernel::thread;
use crate::trial::time_scale::stretched;

/// The longest time that a client takes to ask. A client that takes longer gets no page.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a question.
const QUESTION: usize = 16 << 10;

/// Answers a question for any page with that of the portal, on a thread of its own: a slow client
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
    client.set_read_timeout(Some(stretched(PATIENCE)))?;
    client.set_write_timeout(Some(stretched(PATIENCE)))?;
    let mut question: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while !question.windows(4).any(|end| end == b"\r\n\r\n") {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            _ if question.len() > QUESTION => return Ok(()),
            length => question.extend(&buffer[..length]),
        }
    }
    // RFC 6585, section 6: a network that asks for a login answers with 511, so that no client
    // takes the page for that of the server.
    write!(
        client,
        "HTTP/1.1 511 Network Authentication Required\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Cache-Control: no-store\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    )
}
