//! The chapter about databases: a private PostgreSQL server, psql as the agent, and the same gateway.

use anyhow::{Context as _, ensure};
use serde_json::json;
use tagout_stage::{Postgres, PostgresConfig};

use crate::demo::cast::Cast;
use crate::demo::narrator::Narrator;

/// Where the gateway finds the password of the chapter's database.
pub(crate) const PASSWORD_VARIABLE: &str = "TAGOUT_DEMO_DATABASE";

/// That password; the server lives as long as the demo, on this machine only.
pub(crate) const PASSWORD: &str = "a-password-for-the-demo-only";

/// Bookings in the database.
const BOOKINGS: &str = "24475";

/// What the application has before an agent comes.
const APPLICATION: &str = "CREATE TABLE customers (id int PRIMARY KEY, email text, api_token text);
    CREATE TABLE bookings (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE, seats int);
    INSERT INTO customers SELECT n, 'customer' || n || '@example.com', md5(n::text) FROM generate_series(1, 500) n;
    INSERT INTO bookings SELECT n, n % 500 + 1, 2 FROM generate_series(1, 24475) n;
    ANALYZE";

/// Rights of an agent that may change rows in production, and remove some.
const ROWS: &str = r#"[
    {"upstreams": "all", "effects": ["read", "secret_read"], "resources": ["*:*"],
     "environments": ["development", "staging", "production", "unknown"]},
    {"upstreams": "all", "effects": ["write", "destroy", "opaque"], "resources": ["*:*"],
     "environments": ["production"]}]"#;

/// The server and the agent that uses it.
struct Chapter {
    server: Postgres,
    connection: String,
    token: String,
    port: u16,
}

/// Plays the chapter. Where PostgreSQL is not installed, it says so.
pub(crate) fn play(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act("A database", "Most disasters went over PostgreSQL's own wire, through migration tools and ORMs. A private server starts; the agent uses psql, with its token as the password.");
    let server = match Postgres::start(&config()) {
        Ok(server) => server,
        Err(error) => {
            narrator.say(&format!(
                "PostgreSQL can't be started here ({error}); this chapter is left out."
            ));
            return Ok(());
        }
    };
    let chapter = Chapter::open(cast, server)?;
    chapter.ordinary_work(narrator)?;
    chapter.a_large_delete(cast, narrator)?;
    chapter.in_other_words(narrator)?;
    let left = chapter
        .server
        .psql_in("shop", "SELECT count(*) FROM bookings")?;
    narrator.say(&format!(
        "{} of {BOOKINGS} bookings are there.",
        left.trim()
    ));
    ensure!(
        left.trim() == BOOKINGS,
        "bookings are gone; please report this"
    );
    Ok(())
}

fn config() -> PostgresConfig {
    PostgresConfig {
        auth: "scram-sha-256",
        ..PostgresConfig::default()
    }
}

impl Chapter {
    fn open(cast: &mut Cast, server: Postgres) -> anyhow::Result<Self> {
        server.psql(&format!("CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'"))?;
        server.psql("CREATE DATABASE shop OWNER shop")?;
        server.psql_in("shop", &format!("SET ROLE shop; {APPLICATION}"))?;
        let identity = server.psql("SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = 'shop') FROM pg_control_system()")?;
        let url = format!("postgres://shop@127.0.0.1:{}/shop", server.port);
        let credential = format!("env:{PASSWORD_VARIABLE}");
        let (gateway, person) = (&cast.gateway, &mut cast.person);
        let mut add = vec!["upstream", "add", "--name", "shop", "--url", &url];
        add.extend(["--pack", "postgres", "--credential", &credential]);
        gateway.accepted(person, &add)?;
        let label = [
            "label",
            "--upstream",
            "shop",
            "--place",
            identity.trim(),
            "production",
        ];
        gateway.accepted(person, &label)?;
        let (connection, token) = gateway.connect(person, Some(ROWS))?;
        Ok(Self {
            server,
            connection,
            token,
            port: gateway.postgres_port(),
        })
    }

    /// What psql says, on both its outputs.
    fn psql(&self, narrator: &Narrator, sql: &str) -> anyhow::Result<String> {
        let mut psql = self.server.program("psql");
        psql.args([
            "-X",
            "-A",
            "-t",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
        ])
        .args(["-U", &self.connection, "-d", "shop", "-c", sql])
        .env("PGPASSWORD", &self.token)
        .env("PGSSLMODE", "disable");
        let output = psql.output().context("psql can't be run")?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let first = said.lines().next().unwrap_or_default();
        narrator.client(sql, first);
        Ok(said)
    }

    fn expect(&self, narrator: &Narrator, sql: &str, wanted: &str) -> anyhow::Result<String> {
        let said = self.psql(narrator, sql)?;
        ensure!(said.contains(wanted), "expected {wanted}, got: {said}");
        Ok(said)
    }

    fn ordinary_work(&self, narrator: &Narrator) -> anyhow::Result<()> {
        narrator.say("Ordinary work flows, each write measured before it commits:");
        self.expect(narrator, "SELECT count(*) FROM bookings", BOOKINGS)?;
        self.expect(
            narrator,
            "UPDATE bookings SET seats = 3 WHERE id = 7",
            "UPDATE 1",
        )?;
        Ok(())
    }

    fn a_large_delete(&self, cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
        narrator.say("A WHERE that takes nearly everything. It runs in a transaction that can't commit, is counted there with all that cascades, and is rolled back:");
        let sql = "DELETE FROM customers WHERE email LIKE '%@example.com'";
        let said = self.expect(narrator, sql, "HELD by tagout")?;
        let from = said.find("hold_").context("no hold")?;
        let id = said.get(from..).unwrap_or_default();
        let hold: String = id
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        narrator.card(&cast.person.get(&format!("/api/v1/holds/{hold}"))?);
        narrator.say("Ada says no.");
        cast.person.judge(&[(&hold, 0)], "deny")?;
        self.expect(narrator, sql, "DENIED by tagout")?;
        Ok(())
    }

    fn in_other_words(&self, narrator: &Narrator) -> anyhow::Result<()> {
        narrator.say("The same in other words:");
        for (sql, wanted) in [
            ("TRUNCATE customers CASCADE", "HELD by tagout"),
            ("DROP TABLE bookings", "HELD by tagout"),
            (
                "DO $$ BEGIN EXECUTE 'DELETE FROM ' || 'bookings'; END $$",
                "HELD by tagout",
            ),
            (
                "WITH gone AS (DELETE FROM bookings RETURNING 1) SELECT count(*) FROM gone",
                "HELD by tagout",
            ),
            ("COPY bookings TO PROGRAM 'sh'", "by tagout"),
        ] {
            self.expect(narrator, sql, wanted)?;
        }
        Ok(())
    }
}

impl Narrator {
    /// What a client sent, and the first line of what it said.
    fn client(&self, sent: &str, line: &str) {
        let line = tagout_core::untrusted::Untrusted::new(line).cut(400);
        let members = json!({"sent": sent, "line": line});
        let text = format!("  psql   → {sent}\n  tagout ← {line}");
        self.event("client", &members, &text);
    }
}
