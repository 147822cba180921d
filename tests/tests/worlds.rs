//! Each trial has a world of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use snowglobe::TestResult;

#[snowglobe::test]
fn port_80_is_mine() -> TestResult {
    let listener = TcpListener::bind("0.0.0.0:80")?;
    TcpStream::connect("127.0.0.1:80")?.write_all(b"hi")?;
    let mut heard = String::new();
    listener.accept()?.0.read_to_string(&mut heard)?;
    assert_eq!(heard, "hi");
    Ok(())
}

#[snowglobe::test]
fn look() {
    println!("{}", std::process::id());
    for f in ["/proc/self/uid_map", "/proc/self/mountinfo", "/proc/sys/kernel/hostname"] {
        println!("{}", std::fs::read_to_string(f).unwrap());
    }
    std::process::Command::new("ls").args(["-la", "/dev", "/proc", "/root", "/tmp", "."]).status().unwrap();
    std::process::Command::new("sleep").arg("100").spawn().unwrap();
    std::fs::write("here", "x").unwrap();
    panic!("x");
}

snowglobe::main!();
