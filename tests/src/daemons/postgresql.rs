//! PostgreSQL whose database is in `/data/db`, as suites run it that break the disk below.

use std::fs::File;
use std::io::Write;

use snowglobe::lab::{Command, Node, Process};
use snowglobe::{Fixture, TestResult};

use crate::daemons::{postgresql_account, postgresql_programs};

/// The programs of a fixture's PostgreSQL, and how they run.
#[derive(Debug)]
pub struct Postgresql {
    programs: String,
    account: (u32, u32),
    fsync: &'static str,
}

impl Postgresql {
    /// Takes the programs of a fixture. Servers sync what they have committed, or do not.
    pub fn of(fixture: &Fixture, fsync: bool) -> TestResult<Self> {
        Ok(Self {
            programs: postgresql_programs(fixture)?,
            account: postgresql_account(fixture)?,
            fsync: if fsync { "fsync=on" } else { "fsync=off" },
        })
    }

    /// Returns a command of one of the programs, which takes itself for PostgreSQL's own account.
    pub fn program<'n>(&self, node: &'n Node, name: &str) -> Command<'n> {
        let mut command = node.command(format!("{}/{name}", self.programs));
        command
            .root_shown_as(self.account.0, self.account.1)
            .current_dir("/tmp");
        command
    }

    /// Makes an empty database, which trusts whoever is on a network of the node.
    pub fn init(&self, node: &Node) -> TestResult {
        let made = self
            .program(node, "initdb")
            .args(["-D", "/data/db", "--locale=C", "--auth=trust"])
            .output()?;
        assert!(made.status.success(), "{made:?}");
        node.run(|| {
            let rules = File::options().append(true).open("/data/db/pg_hba.conf");
            let trust = b"host all all samenet trust\nhost replication all samenet trust\n";
            rules.and_then(|mut rules| rules.write_all(trust))
        })?;
        Ok(())
    }

    /// Starts a server, which may lose its disk or its power.
    pub fn serve(&self, node: &Node) -> TestResult<Process> {
        let process = self
            .program(node, "postgres")
            .args(["-D", "/data/db", "-h", "*", "-k", "/tmp"])
            .args(["-c", self.fsync, "-c", "max_wal_size=64MB"])
            .may_die()
            .spawn()?;
        Ok(process)
    }

    /// Returns a command that asks a server, which `to` describes in libpq's words.
    pub fn psql<'n>(&self, client: &'n Node, to: &str, query: &str) -> Command<'n> {
        let mut psql = client.command(format!("{}/psql", self.programs));
        psql.args(["-tAc", query, to]);
        psql
    }
}
