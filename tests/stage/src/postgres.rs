//! A real PostgreSQL server on a free port, in a folder of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// How clients on TCP sign in, as `pg_hba.conf` names it: `trust`, `password`, `md5`, `scram-sha-256`.
    pub auth: &'static str,
    /// Certificate and key in PEM. With them TCP takes nothing but TLS.
    pub tls: Option<(String, String)>,
    /// Lines of `postgresql.conf`, after our own and so stronger.
    pub settings: Vec<(String, String)>,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            auth: "trust",
            tls: None,
            settings: Vec::new(),
        }
    }
}

/// A server that runs until it is dropped, or until this process ends, however that happens.
///
/// Its superuser is [`Postgres::USER`]. On its socket (see [`Postgres::folder`]) everybody is trusted.
#[derive(Debug)]
pub struct Postgres {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    folder: TempDir,
    programs: PathBuf,
    owner: Option<Owner>,
    server: Option<Child>,
    watch: Option<Child>,
}

/// The user that the server runs as, because it refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Its superuser.
    pub const USER: &'static str = "postgres";

    /// The superuser's password.
    pub const PASSWORD: &'static str = "a-password-for-tests-only";

    /// Makes a cluster and starts a server on it.
    ///
    /// # Errors
    /// When PostgreSQL's server is not installed, or does not come up.
    pub fn start(config: &PostgresConfig) -> anyhow::Result<Self> {
        let mut postgres = Self {
            port: TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
            folder: tempfile::Builder::new().prefix("tagout-pg-").tempdir()?,
            programs: newest_programs()?,
            owner: unprivileged()?,
            server: None,
            watch: None,
        };
        postgres.give(postgres.folder.path())?;
        postgres.init()?;
        postgres.configure(config)?;
        postgres.run()?;
        // Only now is it hashed the way that the settings say.
        let password = format!("ALTER ROLE postgres PASSWORD '{}'", Self::PASSWORD);
        postgres.psql(&password)?;
        Ok(postgres)
    }

    /// `postgres://postgres@127.0.0.1:PORT/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        let user = Self::USER;
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// The folder with its socket, its data and its log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// One of PostgreSQL's own programs of the same version, without any `PG…` of our environment.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("PGPASSFILE", "/dev/null").stdin(Stdio::null());
        command
    }

    /// Runs SQL in the database `postgres` as the superuser, past everything of ours. Rows as lines, columns
    /// parted by `|`.
    ///
    /// # Errors
    /// The server's, at the first statement that fails.
    pub fn psql(&self, sql: &str) -> anyhow::Result<String> {
        self.psql_in("postgres", sql)
    }

    /// As [`Self::psql`], in another database.
    ///
    /// # Errors
    /// The server's.
    pub fn psql_in(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let mut psql = self.program("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", Self::USER])
            .args(["-h", &self.folder.path().display().to_string()])
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql]);
        output_of(&mut psql)
    }

    /// Ends the server in an orderly way: sessions are ended, nothing is left to recover.
    ///
    /// # Errors
    /// When it is not running, or stays.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.end("-INT")
    }

    /// Ends the server at once, as a crash would.
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.end("-KILL")
    }

    /// Starts the server again, on the same data and port.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        if self.server.is_some() {
            self.stop()?;
        }
        self.run()
    }

    fn init(&self) -> anyhow::Result<()> {
        let password = self.write("password", Self::PASSWORD)?;
        let mut initdb = self.as_owner("initdb");
        initdb
            .args([
                "--no-sync",
                "--no-locale",
                "--encoding=UTF8",
                "--auth=trust",
            ])
            .args(["--username", Self::USER, "--pwfile", &password])
            .args(["--pgdata", &self.data()]);
        output_of(&mut initdb).map(drop)
    }

    fn configure(&self, config: &PostgresConfig) -> anyhow::Result<()> {
        let folder = self.folder.path().display();
        // A test may kill the server, never the machine: what was written stays in the page cache.
        let mut lines = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{folder}'\n\
             fsync = off\nshared_buffers = '32MB'\nmax_connections = 60\n",
            self.port
        );
        if let Some((certificate, key)) = &config.tls {
            let certificate = self.write("server.crt", certificate)?;
            let key = self.write("server.key", key)?;
            lines +=
                &format!("ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\n");
        }
        for (name, value) in &config.settings {
            lines += &format!("{name} = '{}'\n", value.replace('\'', "''"));
        }
        let transport = config.tls.as_ref().map_or("host", |_| "hostssl");
        let rules = format!(
            "local all all trust\n{transport} all all 127.0.0.1/32 {}\n",
            config.auth
        );
        let data = PathBuf::from(self.data());
        let settings = fs::read_to_string(data.join("postgresql.conf"))?;
        fs::write(data.join("postgresql.conf"), settings + &lines)?;
        Ok(fs::write(data.join("pg_hba.conf"), rules)?)
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        // After a kill, the old server's children may still be on their way out.
        while Instant::now() < until {
            let mut child = self.spawn()?;
            while child.try_wait()?.is_none() && Instant::now() < until {
                if self.answers() {
                    self.watch = Some(watch(child.id(), self.folder.path())?);
                    self.server = Some(child);
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            child.wait()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("PostgreSQL does not come up; it logged: {}", self.log())
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut server = self.as_owner("postgres");
        server
            .args(["-D", &self.data()])
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        Ok(server.spawn()?)
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.psql("SELECT 1").is_ok()
    }

    fn end(&mut self, signal: &str) -> anyhow::Result<()> {
        let mut server = self.server.take().context("PostgreSQL is not running")?;
        send(signal, server.id())?;
        let until = Instant::now() + PATIENCE;
        while server.try_wait()?.is_none() {
            if Instant::now() > until {
                server.kill()?;
                bail!(
                    "PostgreSQL did not end by itself; it logged: {}",
                    self.log()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Some(mut watch) = self.watch.take() {
            watch.kill()?;
            watch.wait()?;
        }
        Ok(())
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// Writes a file that only the server's user reads.
    fn write(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        self.give(&path)?;
        Ok(path.display().to_string())
    }

    fn give(&self, path: &Path) -> anyhow::Result<()> {
        match self.owner {
            Some(owner) => Ok(chown(path, Some(owner.uid), Some(owner.gid))?),
            None => Ok(()),
        }
    }

    fn as_owner(&self, name: &str) -> Command {
        let program = self.program(name);
        let Some(owner) = self.owner else {
            return program;
        };
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &owner.uid.to_string()])
            .args(["--regid", &owner.gid.to_string(), "--clear-groups", "--"])
            .arg(program.get_program())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            // The test is over; a server that has gone by itself is fine as well.
            let _ = self.end("-QUIT");
        }
    }
}

/// Ends the server and removes its folder when this process has gone, whether or not anything was dropped:
/// then its end of the pipe is closed.
fn watch(server: u32, folder: &Path) -> anyhow::Result<Child> {
    // Where nobody collects dead processes, one that has ended still seems to be there: not for ever, then.
    let script = format!(
        "cat >/dev/null; kill -QUIT {server}
         for try in $(seq 50); do kill -0 {server} 2>/dev/null || break; sleep 0.1; done
         rm -rf '{}'",
        folder.display()
    );
    let mut watch = Command::new("sh");
    watch
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    Ok(watch.spawn()?)
}

fn send(signal: &str, process: u32) -> anyhow::Result<()> {
    output_of(Command::new("kill").args([signal, &process.to_string()])).map(drop)
}

fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("`{name}`"))?;
    if !output.status.success() {
        bail!("`{name}`: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// Where Debian keeps the programs of the newest version that is installed.
fn newest_programs() -> anyhow::Result<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let version = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        name.parse::<u32>().ok()
    };
    installed
        .flatten()
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/initdb").is_file())
        .max_by_key(version)
        .map(|folder| folder.join("bin"))
        .context("no PostgreSQL server is installed below /usr/lib/postgresql; run `./dev setup`, or install the package `postgresql`")
}

/// Whom to run the server as; ourselves, unless we are root.
fn unprivileged() -> anyhow::Result<Option<Owner>> {
    let id = |arguments: &[&str]| output_of(Command::new("id").args(arguments));
    if id(&["-u"])? != "0" {
        return Ok(None);
    }
    let found = ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some((id(&["-u", name]).ok()?, id(&["-g", name]).ok()?)));
    let (uid, gid) =
        found.context("PostgreSQL does not run as root, and there is no user `postgres`")?;
    Ok(Some(Owner {
        uid: uid.parse()?,
        gid: gid.parse()?,
    }))
}
