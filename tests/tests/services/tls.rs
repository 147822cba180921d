//! nginx and curl use the certificates of a `tls` fixture.

use std::fs;

use snowglobe::Lab;
use snowglobe::lab::Process;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// Starts a server that goes by two names, of which its certificate has one.
fn server_and_client(site: &tempfile::TempDir) -> TestResult<(Lab, NodeId, NodeId)> {
    let mut topology = Topology::new();
    let web = topology.node(
        NodeSpec::new("web")
            .rootfs(&Fixture::find("nginx")?)
            .bind_read_only("/run/certificates", Fixture::find("certificates")?.path())
            .bind("/run/site", site.path())
            .alias("web.test")
            .alias("wrong.test"),
    );
    let client = topology.node("client");
    topology.link(client, web);
    Ok((topology.start()?, web, client))
}

/// Starts nginx with one of the fixture's certificates.
fn nginx(
    lab: &Lab,
    web: NodeId,
    site: &tempfile::TempDir,
    certificate: &str,
) -> TestResult<Process> {
    fs::write(site.path().join("index.html"), "over TLS\n")?;
    let server = format!(
        "listen 443 ssl;
        root /run/site;
        ssl_certificate /run/certificates/{certificate}.pem;
        ssl_certificate_key /run/certificates/{certificate}.key;"
    );
    let text = snowglobe_tests::nginx_conf("off", &server);
    fs::write(site.path().join("nginx.conf"), text)?;
    let server = lab[web]
        .command("nginx")
        .args(["-e", "stderr", "-c", "/run/site/nginx.conf"])
        .spawn()?;
    server.wait_for_port(443)?;
    Ok(server)
}

/// Returns what curl got, and its exit code; 60 is "the peer's certificate cannot be verified".
fn curl(lab: &Lab, client: NodeId, name: &str) -> TestResult<(Option<i32>, String, String)> {
    let certificate = Fixture::find("certificates")?.certificate("web")?;
    let output = lab[client]
        .command_like(&Fixture::find("curl")?.command("curl")?)
        .args(["--silent", "--show-error", "--noproxy", "*", "--cacert"])
        .arg(certificate.authority)
        .arg(format!("https://{name}/"))
        .output()?;
    Ok((
        output.status.code(),
        output.stdout_str(),
        output.stderr_str(),
    ))
}

#[snowglobe::test(fixtures("certificates", "curl", "nginx"))]
fn curl_believes_nginx_by_its_own_name_and_by_no_other() -> TestResult {
    let site = snowglobe_tests::shared_dir();
    let (lab, web, client) = server_and_client(&site)?;
    let _server = nginx(&lab, web, &site, "web")?;
    let (code, page, _) = curl(&lab, client, "web.test")?;
    assert_eq!((code, page.as_str()), (Some(0), "over TLS\n"));
    for name in ["wrong.test", "web", &lab[web].ip().to_string()] {
        let (code, page, complaint) = curl(&lab, client, name)?;
        assert_eq!((code, page.as_str()), (Some(60), ""), "{name}: {complaint}");
        assert!(
            complaint.contains("no alternative certificate subject name"),
            "{complaint}"
        );
    }
    Ok(())
}

#[snowglobe::test(fixtures("certificates", "curl", "nginx"))]
fn curl_refuses_a_server_with_the_certificate_of_another() -> TestResult {
    let site = snowglobe_tests::shared_dir();
    let (lab, web, client) = server_and_client(&site)?;
    let _server = nginx(&lab, web, &site, "other")?;
    let (code, page, complaint) = curl(&lab, client, "web.test")?;
    assert_eq!((code, page.as_str()), (Some(60), ""), "{complaint}");
    Ok(())
}
