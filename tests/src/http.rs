//! One connection to a server of HTTP, over which a client asks one thing after another.
//!
//! A workload asks hundreds of times a second, from within a node. A process for each question
//! would take all processors, and most libraries make their connections where they are called.

use std::io::{self, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use snowglobe::lab::Node;

use crate::connection::{connect, line};

/// A connection that is used again and again.
#[derive(Debug)]
pub struct HttpConnection {
    stream: BufReader<TcpStream>,
}

impl HttpConnection {
    /// Connects from a node, and waits for answers so long from then on.
    ///
    /// # Errors
    /// The node is down, or nobody listens.
    pub fn open(from: &Node, to: SocketAddr, limit: Duration) -> io::Result<Self> {
        let stream = connect(from, to, limit)?;
        Ok(Self { stream })
    }

    /// Gets a page, and returns the status and the body of the answer.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub fn get(&mut self, path: &str) -> io::Result<(u16, Vec<u8>)> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Posts JSON, and returns the status and the body of the answer.
    ///
    /// # Errors
    /// The connection has ended, or the answer is not HTTP. The connection is of no further use.
    pub fn post(&mut self, path: &str, json: &str) -> io::Result<(u16, Vec<u8>)> {
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{json}",
            json.len()
        ))
    }

    fn ask(&mut self, request: &str) -> io::Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let status = line(&mut self.stream)?;
        let status = status.split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = status.ok_or_else(|| not_http("a status"))?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let header = line(&mut self.stream)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or_else(|| not_http("a header"))?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| not_http("a length"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            self.chunks(&mut body)?;
        } else {
            self.bytes(length, &mut body)?;
        }
        Ok((status, body))
    }

    /// Reads a body in chunks, and the trailers behind it (RFC 9112, section 7.1).
    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let size = line(&mut self.stream)?;
            let size = size.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|_| not_http("a chunk"))?;
            if size == 0 {
                while !line(&mut self.stream)?.is_empty() {}
                return Ok(());
            }
            self.bytes(size, body)?;
            line(&mut self.stream)?;
        }
    }

    fn bytes(&mut self, count: u64, body: &mut Vec<u8>) -> io::Result<()> {
        let read = self.stream.by_ref().take(count).read_to_end(body)?;
        if read as u64 == count {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }
}

fn not_http(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{what} was expected"))
}
