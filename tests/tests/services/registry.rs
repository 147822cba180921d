//! A private registry is filled with an image that is made here; the `oci` source pulls the image,
//! and a node runs it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use snowglobe::Lab;
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, StartCommand};
use snowglobe_fixtures::Workspace;
use snowglobe_fixtures::provision::{self, provision};

const PORT: u16 = 5000;

const CONFIGURATION: &str = "
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ':5000'}
";

const BLOBS: &str = "/var/lib/registry/docker/registry/v2/blobs/sha256";

/// A registry, and a client that pushes and pulls, on one switch.
struct World {
    lab: Lab,
    registry: NodeId,
    client: NodeId,
    scratch: tempfile::TempDir,
}

impl World {
    fn start() -> TestResult<Self> {
        let scratch = snowglobe_tests::shared_dir();
        fs::write(scratch.path().join("registry.yml"), CONFIGURATION)?;
        fs::write(
            scratch.path().join("fixtures.toml"),
            format!("[box.oci]\nimage = \"registry:{PORT}/box:1.0\"\nplain_http = true\n"),
        )?;
        let serve = StartCommand::new("docker-registry")
            .args(["serve", "/run/registry/registry.yml"])
            .ready_port(PORT);
        let mut topology = Topology::new();
        let lan = topology.switch("lan");
        let registry = topology.node(
            NodeSpec::new("registry")
                .rootfs(&Fixture::find("registry")?)
                .bind_read_only("/run/registry", scratch.path())
                .command(serve),
        );
        let client = topology.node("client");
        topology.plug(registry, lan);
        topology.plug(client, lan);
        let lab = topology.start()?;
        Ok(Self {
            lab,
            registry,
            client,
            scratch,
        })
    }

    /// Returns a workspace with a store of its own, so that the content of the store was pulled
    /// here.
    fn workspace(&self, store: &str) -> Workspace {
        let manifest = self.scratch.path().join("fixtures.toml");
        Workspace::at(manifest).with_store(self.scratch.path().join(store))
    }

    /// Provisions on the client.
    fn pull(&self, workspace: &Workspace, offline: bool) -> snowglobe_fixtures::Result<()> {
        let options = provision::ProvisionOptions {
            quiet: true,
            offline,
            ..Default::default()
        };
        self.lab[self.client].run(|| provision(workspace, &options))
    }

    /// Sends a request from the client, and returns the status, headers and body of the answer.
    fn ask(&self, request: &str, body: &[u8]) -> TestResult<String> {
        let answer = self.lab[self.client].run(|| {
            let mut stream = TcpStream::connect(("registry", PORT))?;
            let length = body.len();
            write!(
                stream,
                "{request}\r\nhost: registry:{PORT}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            )?;
            stream.write_all(body)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        })?;
        Ok(answer)
    }

    /// Pushes a blob, and returns the entry for it in a manifest.
    fn push(&self, media: &str, bytes: &[u8]) -> TestResult<Value> {
        let started = self.ask("POST /v2/box/blobs/uploads/ HTTP/1.1", b"")?;
        let mut lines = started.lines();
        let location = lines.find_map(|line| line.strip_prefix("Location: "));
        let location = location.ok_or_else(|| format!("no upload was started: {started}"))?;
        let path = location.trim_start_matches(&format!("http://registry:{PORT}"));
        let digest = digest(bytes);
        let put = format!(
            "PUT {path}&digest={digest} HTTP/1.1\r\ncontent-type: application/octet-stream"
        );
        let done = self.ask(&put, bytes)?;
        assert!(done.starts_with("HTTP/1.1 201"), "{done}");
        let media = format!("application/vnd.oci.image.{media}");
        Ok(json!({"mediaType": media, "digest": digest, "size": bytes.len()}))
    }

    /// Makes an image of busybox and a page, with two layers. The second layer removes a file.
    fn push_image(&self, page: &str) -> TestResult {
        let busybox = fs::read(Fixture::find("busybox")?.program("busybox")?)?;
        let lower = layer(&[("bin/busybox", &busybox), ("www/gone.html", b"x")])?;
        let upper = layer(&[
            ("www/.wh.gone.html", b""),
            ("www/index.html", page.as_bytes()),
        ])?;
        let config = json!({"architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(&lower), digest(&upper)]}});
        let config = self.push("config.v1+json", config.to_string().as_bytes())?;
        let packed = zstd::encode_all(lower.as_slice(), 3)?;
        let layers = [
            self.push("layer.v1.tar+zstd", &packed)?,
            self.push("layer.v1.tar", &upper)?,
        ];
        let media = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media, "config": config, "layers": layers});
        let put = format!("PUT /v2/box/manifests/1.0 HTTP/1.1\r\ncontent-type: {media}");
        let done = self.ask(&put, manifest.to_string().as_bytes())?;
        assert!(done.starts_with("HTTP/1.1 201"), "{done}");
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex = Sha256::digest(bytes);
    let hex: String = hex.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn layer(files: &[(&str, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, *content)?;
    }
    tar.into_inner()
}

fn page(image: &Fixture) -> std::io::Result<String> {
    fs::read_to_string(image.path().join("www/index.html"))
}

#[snowglobe::test(fixtures("busybox", "registry"))]
fn an_image_from_a_registry_is_the_root_of_a_node() -> TestResult {
    let mut world = World::start()?;
    world.push_image("from the image")?;
    let workspace = world.workspace("store");
    world.pull(&workspace, false)?;
    let image = Fixture::find_in(&workspace, "box")?;
    assert_eq!(image.version(), "1.0");
    let serve = StartCommand::new("busybox")
        .args(["httpd", "-f", "-p", "80", "-h", "/www"])
        .ready_port(80);
    world.lab.grow(|topology| {
        let lan = topology.find_switch("lan");
        let node = topology.node(NodeSpec::new("box").rootfs(image.path()).command(serve));
        lan.map(|lan| topology.plug(node, lan))
    })?;
    let get = |path: &str| {
        world.lab[world.client].run(|| {
            let mut stream = TcpStream::connect("box:80")?;
            write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        })
    };
    let answer = get("/index.html")?;
    assert!(answer.ends_with("\r\n\r\nfrom the image"), "{answer}");
    let answer = get("/gone.html")?;
    assert!(
        answer.starts_with("HTTP/1.1 404"),
        "a whiteout takes away: {answer}"
    );
    Ok(())
}

#[snowglobe::test(fixtures("busybox", "registry"))]
fn a_pinned_image_stays_what_it_is_when_the_tag_moves_on() -> TestResult {
    let world = World::start()?;
    world.push_image("first")?;
    let (store, another) = (world.workspace("store"), world.workspace("another"));
    world.pull(&store, false)?;
    world.push_image("second")?;
    world.pull(&another, false)?;
    assert_eq!(page(&Fixture::find_in(&another, "box")?)?, "first");
    // Nothing is asked for that the store has: the registry may be gone.
    world.lab[world.registry].crash()?;
    world.pull(&store, true)?;
    world.pull(&store, false)?;
    Ok(())
}

#[snowglobe::test(fixtures("busybox", "registry"))]
fn a_layer_that_is_not_what_its_digest_says_is_refused() -> TestResult {
    let world = World::start()?;
    world.push_image("genuine")?;
    let forge = |blob: &Path| -> std::io::Result<bool> {
        let mut content = fs::read(blob)?;
        let at = content.windows(7).position(|bytes| bytes == b"genuine");
        let Some(at) = at else { return Ok(false) };
        content[at..at + 7].copy_from_slice(b"forgery");
        fs::write(blob, content).map(|()| true)
    };
    let forged = world.lab[world.registry].run(|| {
        let mut forged = 0;
        for shard in fs::read_dir(BLOBS)? {
            for blob in fs::read_dir(shard?.path())? {
                forged += usize::from(forge(&blob?.path().join("data"))?);
            }
        }
        std::io::Result::Ok(forged)
    })?;
    assert_eq!(forged, 1, "the layer with the page");
    let workspace = world.workspace("store");
    let error = world.pull(&workspace, false).unwrap_err();
    assert!(error.is_refused(), "{error}");
    assert!(
        error.to_string().contains("fixture `box`")
            && error.to_string().contains("nothing was kept"),
        "{error}"
    );
    assert!(
        Fixture::find_in(&workspace, "box")
            .unwrap_err()
            .is_missing()
    );
    Ok(())
}
