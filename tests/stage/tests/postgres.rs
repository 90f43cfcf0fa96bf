//! A real server can be started, crashed and started again.

use tagout_stage::{Postgres, PostgresConfig};

#[test]
fn a_server_keeps_what_it_committed_over_a_crash() -> anyhow::Result<()> {
    let config = PostgresConfig {
        settings: vec![("work_mem".to_owned(), "1MB".to_owned())],
        ..PostgresConfig::default()
    };
    let mut postgres = Postgres::start(&config)?;
    assert_eq!(postgres.psql("SHOW work_mem")?, "1MB");
    postgres.psql("CREATE TABLE kept AS SELECT 1 AS id UNION SELECT 2")?;
    postgres.kill()?;
    assert!(postgres.psql("SELECT 1").is_err());
    postgres.restart()?;
    assert_eq!(postgres.psql("SELECT id FROM kept ORDER BY id")?, "1\n2");
    postgres.stop()?;
    postgres.restart()?;
    assert_eq!(postgres.psql("SELECT count(*) FROM kept")?, "2");
    Ok(())
}
