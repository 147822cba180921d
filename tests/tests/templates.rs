//! A hundred trials share one expensive beginning: a database with its schema, of which each has a
//! copy-on-write clone, and on it a PostgreSQL of its own.

use snowglobe::Need;
use snowglobe::prelude::*;
use snowglobe_tests::daemons::{postgresql_account, postgresql_programs};

/// Number of trials, and of the orders of the largest of them.
const TRIALS: u32 = 100;

/// Time for PostgreSQL to serve on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a trial for each number of orders.
fn databases() -> Vec<Trial> {
    const NEEDS: [Need; 2] = [Need::Fixture("postgresql"), Need::Fixture("orders")];
    const OPTIONS: Options = Options::NEW.requires(&NEEDS);
    let trial = |keep: u32| {
        Trial::test(format!("databases::keeps_{keep:03}_orders"), move || {
            a_database_of_its_own(keep)
        })
        .with_options(OPTIONS)
        .timeout(Duration::from_secs(120))
    };
    (1..=TRIALS).map(trial).collect()
}

/// Finds all orders in the database, and leaves some of them: a trial whose clone was another's
/// would find fewer.
fn a_database_of_its_own(keep: u32) -> TestResult {
    let (fixture, orders) = (Fixture::find("postgresql")?, Fixture::find("orders")?);
    let bin = postgresql_programs(&fixture)?;
    let (uid, gid) = postgresql_account(&fixture)?;
    let mut topology = Topology::new();
    let database = topology.node(
        NodeSpec::new("database")
            .rootfs(&fixture)
            .volume("/data", Volume::clone_of(&orders)),
    );
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    let node = &lab[database];
    let server = node
        .command(format!("{bin}/postgres"))
        .root_shown_as(uid, gid)
        .args(["-D", "/data", "-k", "/tmp"])
        .spawn()?;
    server.wait_for_port(5432)?;
    let psql = |query: &str| {
        let mut psql = node.command(format!("{bin}/psql"));
        psql.args(["-h", "/tmp", "-U", "postgres", "-tAc", query]);
        psql.output()
    };
    // PostgreSQL listens before it has recovered, and refuses early clients.
    lab.wait_until(|| {
        let output = psql("select 1").map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(output.stderr_str()),
        }
    })?;
    let count = "select count(*) from orders";
    assert_eq!(psql(count)?.stdout_str(), "10000\n");
    psql(&format!("delete from orders where id > {keep}"))?;
    assert_eq!(psql(count)?.stdout_str(), format!("{keep}\n"));
    Ok(())
}

snowglobe::main!(databases);
