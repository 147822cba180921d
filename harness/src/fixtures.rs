//! Fixtures for one's own project: programs and files from outside, pinned, found by their names.
//!
//! A test that needs nginx should neither be skipped silently nor use whatever nginx the machine
//! has. So nginx is declared beside the `Cargo.toml` of the project, in `fixtures.toml`:
//!
//! ```toml
//! [nginx.deb]
//! packages = ["nginx-light | nginx"]
//! ```
//!
//! A command fetches nginx, as an ordinary user, and installs nothing:
//!
//! ```console
//! $ cargo install --path harness/cli     # once, in a clone of snowglobe
//! $ snowglobe provision                  # in the project; CI runs it before `cargo test`
//! ```
//!
//! The version of nginx stands in `fixtures.lock` from then on. Commit both files. The test says
//! what it needs, and finds it:
//!
//! ```no_run
//! use snowglobe::prelude::*;
//!
//! #[snowglobe::test(fixtures("nginx"))]
//! fn nginx_answers() -> TestResult {
//!     let nginx = Fixture::find("nginx")?;
//!     // Debian's nginx wants directories in `/var/lib`, where a trial cannot write.
//!     let directories = "client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; \
//!         fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5; \
//!         access_log off;";
//!     let server = "server { listen 80; return 204; }";
//!     let config = format!("daemon off; events {{}} http {{ {directories} {server} }}");
//!     std::fs::write("/tmp/nginx.conf", config)?;
//!     let mut server = nginx.command("nginx")?.args(["-c", "/tmp/nginx.conf"]).spawn()?;
//!     // … it has port 80 of this trial …
//!     server.kill()?;
//!     server.wait()?;
//!     Ok(())
//! }
//! ```
//!
//! A trial whose fixture is not provisioned is ignored, and says which command provisions it; with
//! `SNOWGLOBE_REQUIRE=1`, for CI, it fails. A fixture that nobody has declared fails it always.
//!
//! Debian packages are one source of many: `oci` has container images, `url` files and archives by
//! their hashes, `cargo` programs of the workspace or of a registry, `path` files of the project,
//! `tls` certificates, `rootfs` layers of others, and `command` whatever a command writes. The
//! crate `snowglobe-fixtures` documents the words of each.
//!
//! `fixtures.toml` is searched from the package upwards. A `Cargo.toml` may name another file:
//!
//! ```toml
//! [package.metadata.snowglobe]
//! fixtures = "tests/fixtures.toml"
//! ```
//!
//! A node of a lab runs programs of a fixture in its root filesystem
//! ([`NodeSpec::rootfs`](crate::topology::NodeSpec::rootfs)), and a hundred trials each have a
//! database of their own by clones of a template: see ["Data that was made
//! once"](crate::lab#data-that-was-made-once).
//!
//! # An xtask in the place of the program
//!
//! A workspace that has an xtask can offer the same commands there, so that nobody installs
//! anything. It depends on `snowglobe` and on `snowglobe-fixtures` with the feature `provision`:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     let mut words = std::env::args_os().skip(1);
//!     match words.next().as_ref().and_then(|it| it.to_str()) {
//!         Some("provision") => snowglobe_fixtures::cli::provision(words),
//!         _ => snowglobe::doctor::cli(words),
//!     }
//! }
//! ```
//!
//! Messages name `cargo xtask provision` there. `SNOWGLOBE_COMMAND` names any other command.

pub use snowglobe_fixtures::{Certificate, Error, Fixture};
