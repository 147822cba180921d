//! Ours and the others must do the same work: each trial of the benchmarks does this.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Listens, connects, and sends two bytes each way.
pub(crate) fn exchange(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let mut heard = [0; 2];
    client.write_all(b"hi")?;
    server.read_exact(&mut heard)?;
    assert_eq!(&heard, b"hi");
    server.write_all(b"ho")?;
    client.read_exact(&mut heard)?;
    assert_eq!(&heard, b"ho");
    Ok(())
}
