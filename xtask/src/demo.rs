//! A promise is easier to believe when it is seen: a hundred worlds, all on port 80 at the same
//! time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use snowglobe::{Arguments, Fixture, Format, TestResult, Trial};
use snowglobe_model::cli::{CommandLine, Flag, Operands};

/// The options of the demonstration: there is only the help.
#[derive(Default)]
struct DemoOptions {
    help: bool,
}

const COMMAND_LINE: CommandLine<DemoOptions> = CommandLine {
    about: "\
Usage: cargo xtask demo

Makes a hundred worlds at once. In each a web server listens on port 80 and serves its own page:
nginx, or a server of ours where nginx cannot be had. When all hundred listen, each page is read.
",
    operands: Operands::None,
    flags: &[Flag::<DemoOptions>::help(|options| options.help = true)],
    variables: &[],
    notes: "",
};

const WORLDS: usize = 100;
const PORT: u16 = 80;
/// Time until all are ready: a hundred servers start at once, on however few cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `cargo xtask demo`; `arguments` are the words after `demo`.
pub(crate) fn demo(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match COMMAND_LINE.parse(arguments) {
        Ok(DemoOptions { help: false }) => {}
        Ok(DemoOptions { help: true }) => {
            print!("{}", COMMAND_LINE.help());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("error: {error}\n\n{}", COMMAND_LINE.help());
            return ExitCode::from(2);
        }
    }
    println!("provisioning nginx");
    let provisioned = snowglobe_fixtures::cli::provision(["nginx".into()]);
    let server = match provisioned {
        ExitCode::SUCCESS => DemoServer::Nginx,
        _ => {
            println!(
                "nginx cannot be had here, so each world gets a small server of our own instead"
            );
            DemoServer::Embedded
        }
    };
    // Provisioning has started threads, and worlds are made by a process without any: so the
    // program starts anew.
    let program = std::env::current_exe().expect("the path of this program is known");
    let mut command = Command::new(program);
    command.args(["demo-worlds", server.word()]);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot start this program once more: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum DemoServer {
    Nginx,
    Embedded,
}

impl DemoServer {
    fn described(self) -> &'static str {
        match self {
            Self::Nginx => "its own nginx",
            Self::Embedded => "a small server of its own",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Embedded => "embedded",
        }
    }
}

/// Runs the second half, in a process of its own.
pub(crate) fn worlds(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let server = match arguments.next() {
        Some(word) if word == "nginx" => DemoServer::Nginx,
        _ => DemoServer::Embedded,
    };
    match try_worlds(server) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_worlds(server: DemoServer) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let meeting = meeting_place()?;
    let args = Arguments {
        no_capture: true,
        test_threads: Some(WORLDS),
        // The worlds wait for each other, and their servers watch no files.
        ignore_budgets: true,
        format: Some(Format::Failures),
        ..Arguments::default()
    };
    let trials = (1..=WORLDS)
        .map(|n| {
            let meeting = meeting.clone();
            Trial::test(format!("world_{n:03}"), move || world(n, server, &meeting))
        })
        .collect();
    println!(
        "\n{WORLDS} worlds, each with {} on port {PORT}\n",
        server.described()
    );
    println!(
        "{:<12} {:<18} {:<18} {:>4}  page",
        "hostname", "network namespace", "addresses", "port"
    );
    let started = Instant::now();
    let outcome = snowglobe::run(&args, trials);
    let elapsed = started.elapsed();
    fs::remove_file(&meeting)?;
    match outcome {
        Ok(conclusion) => {
            println!(
                "\n{} of {WORLDS} worlds served their page on port {PORT}, all at the same time, in {:.2} s",
                conclusion.num_passed,
                elapsed.as_secs_f64()
            );
            Ok(conclusion.exit_code())
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(ExitCode::from(error.exit_code()))
        }
    }
}

/// Makes a file to which every world can write. It has as many bytes as worlds are ready.
fn meeting_place() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let path = program.with_file_name(format!("demo-{}", std::process::id()));
    File::create(&path)?;
    Ok(path)
}

fn world(n: usize, server: DemoServer, meeting: &Path) -> TestResult {
    let page = format!("Hello from world {n}");
    let _server = match server {
        DemoServer::Nginx => Some(nginx(&page)?),
        DemoServer::Embedded => {
            embedded(page.clone())?;
            None
        }
    };
    wait_until(|| TcpStream::connect(("127.0.0.1", PORT)).is_ok())?;
    // No world goes on before all have come: a hundred servers listen on port 80 at this moment.
    File::options()
        .append(true)
        .open(meeting)?
        .write_all(b".")?;
    wait_until(|| fs::metadata(meeting).is_ok_and(|file| file.len() == WORLDS as u64))?;
    let served = get()?;
    if served != page {
        return Err(format!("world {n} was served {served:?}").into());
    }
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let namespace = fs::read_link("/proc/self/ns/net")?;
    println!(
        "{:<12} {:<18} {:<18} {PORT:>4}  {served}",
        hostname.trim(),
        namespace.display(),
        "127.0.0.1, ::1"
    );
    Ok(())
}

fn wait_until(mut condition: impl FnMut() -> bool) -> TestResult {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return Err("this took too long".into());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// An nginx that is told to stop when it is dropped, so that its workers end with it.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = nginx_command("/dev/null")
            .and_then(|mut nginx| Ok(nginx.args(["-s", "stop"]).status()?));
        let _ = self.0.wait();
    }
}

fn nginx_command(errors: &str) -> TestResult<Command> {
    let mut command = Fixture::find("nginx")?.command("nginx")?;
    command.args(["-c", "/tmp/nginx.conf", "-e", errors]);
    Ok(command)
}

fn nginx(page: &str) -> TestResult<Nginx> {
    fs::create_dir("/tmp/site")?;
    fs::write("/tmp/site/index.html", page)?;
    fs::write("/tmp/nginx.conf", include_str!("../../tests/nginx.conf"))?;
    Ok(Nginx(nginx_command("stderr")?.spawn()?))
}

fn embedded(page: String) -> TestResult {
    let listener = TcpListener::bind(("0.0.0.0", PORT))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &page);
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream, page: &str) -> std::io::Result<()> {
    let mut request = [0; 1024];
    let _ = stream.read(&mut request)?;
    write!(
        stream,
        "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    )
}

fn get() -> TestResult<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
        assert!(COMMAND_LINE.parse(["worlds"]).is_err());
    }
}
