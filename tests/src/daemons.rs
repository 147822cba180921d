//! Real daemons, as several suites run them and ask them.

pub mod etcd;
pub mod nats;
pub mod postgresql;
pub mod sentinels;

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use snowglobe::lab::{Command, Lab, Node};
use snowglobe::{Fixture, TestResult};

/// Runs a program to its end. Returns what it prints if it succeeds, and its complaint otherwise.
pub fn answer(command: &mut Command<'_>) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout_str()),
        false => Err(output.stderr_str()),
    }
}

/// Returns the arguments of an etcd whose cluster has one member on each of these nodes. It keeps
/// its data in `/run/data`.
pub fn etcd_member(name: &str, names: &[impl AsRef<str>]) -> Vec<String> {
    let peer = |name: &str| format!("http://{name}:2380");
    let peers = names.iter().map(AsRef::as_ref);
    let peers: Vec<String> = peers.map(|it| format!("{it}={}", peer(it))).collect();
    let options = [
        ("--name", name),
        ("--data-dir", "/run/data"),
        ("--listen-client-urls", "http://0.0.0.0:2379"),
        ("--listen-peer-urls", "http://0.0.0.0:2380"),
        ("--advertise-client-urls", &format!("http://{name}:2379")),
        ("--initial-advertise-peer-urls", &peer(name)),
        ("--initial-cluster", &peers.join(",")),
        ("--logger", "zap"),
    ];
    let words = options
        .into_iter()
        .flat_map(|(option, value)| [option, value]);
    words.map(str::to_owned).collect()
}

/// Returns what `etcdctl` prints on a node, or its complaint.
pub fn etcdctl(node: &Node, arguments: &[&str]) -> Result<String, String> {
    let mut command = node.command("etcdctl");
    answer(command.env("ETCDCTL_API", "3").args(arguments))
}

/// Returns what `etcdctl` prints on a node, once the command succeeds.
pub fn etcdctl_in_time(lab: &Lab, node: &Node, arguments: &[&str]) -> TestResult<String> {
    Ok(lab.wait_until(|| etcdctl(node, arguments))?)
}

/// Sends one command of redis' protocol to the redis of a node, and returns the lines that answer
/// it.
pub fn redis(node: &Node, command: &str) -> io::Result<String> {
    let answer = node.run(|| {
        let mut stream = TcpStream::connect("localhost:6379")?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        io::Result::Ok(answer)
    })?;
    let answer = answer
        .strip_suffix("+OK\r\n")
        .ok_or_else(|| io::Error::other("no farewell"))?;
    Ok(answer.trim_end().to_owned())
}

/// Returns the user id and group id of the account of PostgreSQL, which refuses to run as root.
pub fn postgresql_account(fixture: &Fixture) -> TestResult<(u32, u32)> {
    let passwd = fs::read_to_string(fixture.rootfs()?.join("etc/passwd"))?;
    let mut accounts = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let fields = accounts
        .find(|fields| fields[0] == "postgres")
        .ok_or("no such account")?;
    Ok((fields[2].parse()?, fields[3].parse()?))
}

/// Returns the directory of PostgreSQL's programs, which Debian keeps out of the user's path.
pub fn postgresql_programs(fixture: &Fixture) -> TestResult<String> {
    let releases = fs::read_dir(fixture.path().join("usr/lib/postgresql"))?;
    let release = releases
        .flatten()
        .next()
        .ok_or("no release of PostgreSQL")?;
    Ok(format!(
        "/usr/lib/postgresql/{}/bin",
        release.file_name().display()
    ))
}
