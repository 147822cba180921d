//! A hundred real daemons run at the same time, all on the same port.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::Duration;

use snowglobe::{Fixture, Need, Options, TestResult, Trial};

/// Makes trials that each have their own nginx on port 80, which serves its own page.
fn hundred_nginx() -> Vec<Trial> {
    const OPTIONS: Options = Options::NEW.requires(&[Need::Fixture("nginx")]);
    (0..100)
        .map(|n| {
            Trial::test(format!("nginx::world_{n:03}"), move || nginx(n)).with_options(OPTIONS)
        })
        .collect()
}

/// Makes trials that each have their own redis on port 6379, with their own value under the same
/// key.
fn hundred_redis() -> Vec<Trial> {
    const OPTIONS: Options = Options::NEW.requires(&[Need::Fixture("redis")]);
    (0..100)
        .map(|n| {
            Trial::test(format!("redis::world_{n:03}"), move || redis(n)).with_options(OPTIONS)
        })
        .collect()
}

/// Configuration of nginx that keeps all written files under `/tmp`.
const NGINX_CONF: &str = include_str!("../nginx.conf");

fn nginx(n: u32) -> TestResult {
    let page = format!("world {n} of a hundred");
    fs::create_dir("/tmp/site")?;
    fs::write("/tmp/site/index.html", &page)?;
    fs::write("/tmp/nginx.conf", NGINX_CONF)?;
    let mut command = Fixture::find("nginx")?.command("nginx")?;
    command.args(["-c", "/tmp/nginx.conf", "-e", "stderr"]);
    let mut server = Server::start(command)?;
    let mut stream = server.connect(80)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(&page), "{answer}");
    Ok(())
}

fn redis(n: u32) -> TestResult {
    let mut command = Fixture::find("redis")?.command("redis-server")?;
    command.args([
        "--port",
        "6379",
        "--save",
        "",
        "--dir",
        "/tmp",
        "--daemonize",
        "no",
    ]);
    let mut server = Server::start(command)?;
    let mut stream = server.connect(6379)?;
    stream.write_all(format!("SET world {n}\r\nGET world\r\nDBSIZE\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let value = n.to_string();
    assert_eq!(
        answer,
        format!("+OK\r\n${}\r\n{value}\r\n:1\r\n+OK\r\n", value.len())
    );
    Ok(())
}

/// A daemon that ends with the test.
struct Server(Child);

impl Server {
    fn start(mut command: Command) -> TestResult<Self> {
        Ok(Self(command.spawn()?))
    }

    /// Connects as soon as the daemon listens, within half a minute, for a hundred of them start at
    /// once.
    fn connect(&mut self, port: u16) -> TestResult<TcpStream> {
        let mut stream = None;
        snowglobe_tests::wait_until(Duration::from_secs(30), || {
            stream = TcpStream::connect(("127.0.0.1", port)).ok();
            stream.is_some() || self.0.try_wait().is_ok_and(|status| status.is_some())
        });
        stream.ok_or_else(|| {
            format!("nothing listens on port {port}: {:?}", self.0.try_wait()).into()
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM lets the daemon take its own children along.
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

snowglobe::main!(hundred_nginx, hundred_redis);
