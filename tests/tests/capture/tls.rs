//! TLS in a capture is decrypted by the keys that the programs logged.

use std::fs;
use std::path::Path;

use snowglobe::lab::Output;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

use crate::tshark::{read, read_with};

/// Starts a server of secrets and a client.
fn start() -> TestResult<(Lab, NodeId)> {
    let mut topology = Topology::new();
    let web = topology.node(
        NodeSpec::new("web")
            .rootfs(&Fixture::find("nginx")?)
            .bind_read_only("/run/certificates", Fixture::find("certificates")?.path())
            .volume("/run/site", Volume::named("site"))
            .alias("web.test"),
    );
    let client = topology.node("client");
    topology.link(client, web);
    let lab = topology.start()?;
    let server = "
        listen 443 ssl;
        ssl_certificate /run/certificates/web.pem;
        ssl_certificate_key /run/certificates/web.key;
        location / { return 200 \"the cake is under the stairs\"; }";
    let configuration = snowglobe_tests::nginx_conf("off", server);
    fs::write(lab.volume("site")?.join("nginx.conf"), configuration)?;
    let server = lab[web]
        .command("nginx")
        .args(["-e", "stderr", "-c", "/run/site/nginx.conf"])
        .spawn()?;
    server.wait_for_port(443)?;
    Ok((lab, client))
}

fn curl(lab: &Lab, client: NodeId, path: &str, keys: Option<&str>) -> TestResult<Output> {
    let certificate = Fixture::find("certificates")?.certificate("web")?;
    let program = Fixture::find("curl")?.command("curl")?;
    let mut curl = lab[client].command_like(&program);
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]);
    curl.arg(certificate.authority);
    curl.arg(format!("https://web.test/{path}"));
    keys.map(|file| curl.env("SSLKEYLOGFILE", file));
    let output = curl.output()?;
    assert_eq!(
        output.stdout_str(),
        "the cake is under the stairs",
        "{output:?}"
    );
    Ok(output)
}

#[snowglobe::test(fixtures("certificates", "curl", "nginx", "tshark"))]
fn what_curl_asked_over_tls_can_be_read_in_the_capture() -> TestResult {
    let (lab, client) = start()?;
    curl(&lab, client, "unseen", None)?;
    let capture = lab.capture_all()?;
    curl(&lab, client, "first", None)?;
    // The client's own `/tmp` goes with it, but not the keys that were logged there.
    lab[client].crash()?;
    lab[client].restart()?;
    curl(&lab, client, "second", None)?;
    // Keys that the test wants for itself do not go into the capture.
    curl(&lab, client, "private", Some("/tmp/elsewhere"))?;

    let file = capture.flush()?;
    let asked = read(&file, "http.request", &["http.request.uri"])?;
    assert_eq!(asked, [["/first"], ["/second"]]);
    let answers = read(
        &file,
        "http.response",
        &["http.response.code", "http.file_data"],
    )?;
    assert_eq!(answers.len(), 2);
    assert!(
        answers.iter().all(|answer| answer[0] == "200"),
        "{answers:?}"
    );
    let said = "the cake is under the stairs";
    assert!(
        answers.iter().all(|answer| answer[1].contains(said)),
        "{answers:?}"
    );
    let handshakes = read(
        &file,
        "tls.handshake.type == 1",
        &["tls.handshake.extensions_server_name"],
    )?;
    assert_eq!(handshakes, [["web.test"], ["web.test"], ["web.test"]]);
    Ok(())
}

#[snowglobe::test(ignore = "a sample", fixtures("certificates", "curl", "nginx"))]
fn sample_that_aborts() -> TestResult {
    let (lab, client) = start()?;
    let capture = lab.capture_all()?;
    curl(&lab, client, "last", None)?;
    // The last exchange is written last.
    let mark = b"this is the end";
    let web = (lab.node("web").ok_or("web")?.ip(), 9);
    lab[client].run(|| UdpSocket::bind("0.0.0.0:0")?.send_to(mark, web))?;
    let is_mark = |part: &[u8]| part == mark;
    let holds = || fs::read(capture.path()).is_ok_and(|all| all.windows(mark.len()).any(is_mark));
    lab.wait_until(holds)?;
    std::process::abort();
}

#[snowglobe::test(nested, fixtures("certificates", "curl", "nginx", "tshark"))]
fn keys_are_in_the_file_when_the_test_crashes() -> TestResult {
    let run = snowglobe_tests::sample("tls::sample_that_aborts");
    run.failed_with(&["SIGABRT"]);
    let (_, rest) = run.stdout.split_once("(note: capture: ").ok_or("no note")?;
    let (file, _) = rest.split_once(')').ok_or("no end")?;
    // The keys may stand behind the packets that they decrypt, so tshark takes a second look.
    let asked = read_with(
        &["-2"],
        Path::new(file),
        "http.request",
        &["http.request.uri"],
    )?;
    assert_eq!(asked, [["/last"]]);
    fs::remove_file(file)?;
    Ok(())
}

#[snowglobe::test]
fn what_the_test_logs_of_its_own_keys_is_embedded() -> TestResult {
    let lab = shape::pair().start()?;
    let capture = lab.capture_all()?;
    let line = format!("CLIENT_RANDOM {:064x} {:096x}\n", 7, 8);
    let mut log = capture.key_log()?;
    log.write_all(line.as_bytes())?;
    log.write_all(b"EXPORTER_SECRET")?;
    let holds = |text: &str| -> TestResult<bool> {
        let bytes = fs::read(capture.flush()?)?;
        Ok(bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes()))
    };
    assert!(holds(&line)?);
    assert!(
        !holds("EXPORTER_SECRET")?,
        "a line that is not whole is left out"
    );
    Ok(())
}
