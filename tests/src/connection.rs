//! Connections from within a node, over which a client asks a daemon one thing after another.

use std::io::{self, BufRead, BufReader, Error, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use snowglobe::lab::Node;

/// Connects from a node. Each later wait for the other side has the same limit.
pub(crate) fn connect(
    from: &Node,
    to: SocketAddr,
    limit: Duration,
) -> io::Result<BufReader<TcpStream>> {
    let connect = || {
        let stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.set_nodelay(true)?;
        io::Result::Ok(BufReader::new(stream))
    };
    from.try_run(connect).map_err(Error::other)?
}

/// Reads a line, and returns it without the CR and LF at its end.
pub(crate) fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(ErrorKind::UnexpectedEof.into()),
    }
}
