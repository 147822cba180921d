//! A thousand trials, each of which binds port 80, connects and exchanges bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use snowglobe::TestResult;

/// Ten to the third registered test functions, without a thousand lines.
macro_rules! ten {
    ($body:item) => {
        ten!(@ $body, a b c d e f g h i j);
    };
    (@ $body:item, $($name:ident)*) => { $(mod $name { $body })* };
}

fn exchange() -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:80")?;
    let mut client = TcpStream::connect("127.0.0.1:80")?;
    client.write_all(b"hi")?;
    let (mut server, _) = listener.accept()?;
    let mut heard = [0; 2];
    server.read_exact(&mut heard)?;
    assert_eq!(&heard, b"hi");
    server.write_all(b"ho")?;
    client.read_exact(&mut heard)?;
    assert_eq!(&heard, b"ho");
    Ok(())
}

fn thousand() -> Vec<snowglobe::Trial> {
    let n: usize = std::env::var("N")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    (0..n)
        .map(|i| snowglobe::Trial::test(format!("t{i}"), exchange))
        .collect()
}

snowglobe::main!(thousand);
