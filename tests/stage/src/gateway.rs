//! The real gateway, as a process of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use tempfile::TempDir;

use crate::agent::Proxy;
use crate::namespace::Namespace;
use crate::person::Person;
use crate::said::Said;
use crate::web::Web;

/// How a gateway is set up before its first start.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Text added to the configuration file.
    pub config: String,
    /// Environment of the process.
    pub environment: Vec<(String, String)>,
    /// How long a held request waits on the wire; not at all unless said.
    pub wait_on_wire_ms: u64,
    /// Whether it is a proxy as well.
    pub forward: bool,
    /// Whether it serves databases as well.
    pub postgres: bool,
    /// The size of the disk that the data lies on; the machine's own unless said.
    pub disk_mib: Option<u64>,
}

/// A gateway with its own folders, ports and key. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) program: PathBuf,
    folder: TempDir,
    console_port: u16,
    agents_port: u16,
    proxy_port: u16,
    postgres_port: u16,
    environment: Vec<(String, String)>,
    process: Option<Child>,
    said: Arc<Said>,
    /// Places marked in the ledger so far.
    pub(crate) marks: AtomicUsize,
    /// Where its disk is mounted, if it has one of its own.
    pub(crate) namespace: Option<Namespace>,
}

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

impl Gateway {
    /// Sets a gateway up and starts it; nobody has enrolled yet.
    ///
    /// # Errors
    /// When the program can't be run or does not come up.
    pub fn start(program: &Path, setting: &Setting) -> anyhow::Result<Self> {
        let mut gateway = Self {
            program: program.to_owned(),
            folder: tempfile::Builder::new().prefix("tagout-stage-").tempdir()?,
            console_port: free_port()?,
            agents_port: free_port()?,
            proxy_port: free_port()?,
            postgres_port: free_port()?,
            environment: setting.environment.clone(),
            process: None,
            said: Arc::default(),
            marks: AtomicUsize::default(),
            namespace: None,
        };
        gateway.init(setting)?;
        if let Some(mib) = setting.disk_mib {
            gateway.namespace = Some(Namespace::with_disk(&gateway.data(), mib)?);
        }
        gateway.run(true)?;
        Ok(gateway)
    }

    /// Sets up, starts, and enrols the first person.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn start_with_person(program: &Path, setting: &Setting) -> anyhow::Result<(Self, Person)> {
        let gateway = Self::start(program, setting)?;
        let code = gateway.enrolment_code()?;
        let mut person = Person::at(&gateway.origin())?;
        person.enrol(&code, "Ada")?;
        gateway.wait_for_agents()?;
        Ok((gateway, person))
    }

    fn init(&self, setting: &Setting) -> anyhow::Result<()> {
        let key = self.key_file();
        let console = format!("127.0.0.1:{}", self.console_port);
        let agents = format!("127.0.0.1:{}", self.agents_port);
        let done = self.command(&[
            "init",
            "--console-url",
            &self.origin(),
            "--console-listen",
            &console,
            "--agents-listen",
            &agents,
            "--key-file",
            &key.display().to_string(),
        ])?;
        if !done.status.success() {
            bail!("init: {}", String::from_utf8_lossy(&done.stderr));
        }
        let path = self.config();
        let text = fs::read_to_string(&path)?;
        let text = match setting.forward {
            false => text,
            true => {
                let forward = format!("[agents]\nforward = \"127.0.0.1:{}\"", self.proxy_port);
                text.replace("[agents]", &forward)
            }
        };
        let text = match setting.postgres {
            false => text,
            true => {
                let postgres = format!("[agents]\npostgres = \"127.0.0.1:{}\"", self.postgres_port);
                text.replace("[agents]", &postgres)
            }
        };
        let wait = format!("wait_on_wire_ms = {}\n", setting.wait_on_wire_ms);
        fs::write(&path, format!("{wait}{text}\n{}", setting.config))?;
        Ok(())
    }

    /// Starts the process. On a terminal it shows the enrolment link; `script` plays one.
    fn run(&mut self, on_terminal: bool) -> anyhow::Result<()> {
        let serve = format!(
            "exec '{}' --config '{}' serve",
            self.program.display(),
            self.config().display()
        );
        let mut command = if on_terminal {
            let mut command = self.beside("script");
            command.args(["-qefc", &serve, "/dev/null"]);
            command
        } else {
            let mut command = self.beside("sh");
            command.args(["-c", &format!("{serve} 2>&1")]);
            command
        };
        command.envs(self.environment.iter().cloned());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .context("`script` (package bsdutils) is needed to play a terminal")?;
        let output = child.stdout.take().ok_or_else(|| anyhow!("no output"))?;
        self.said.listen(output);
        self.process = Some(child);
        Ok(())
    }

    /// The console's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.console_port)
    }

    /// Where agents connect.
    #[must_use]
    pub fn agents(&self) -> String {
        format!("http://127.0.0.1:{}", self.agents_port)
    }

    /// The proxy that an agent is told to use, with its token.
    #[must_use]
    pub fn proxy(&self, token: &str) -> Proxy {
        Proxy {
            url: format!("http://agent:{token}@127.0.0.1:{}", self.proxy_port),
            ca: self.data().join("agents-ca.pem").display().to_string(),
        }
    }

    /// The port where agents' databases are served.
    #[must_use]
    pub const fn postgres_port(&self) -> u16 {
        self.postgres_port
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("tagout.toml")
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("tagout-data")
    }

    /// A place for a test's own files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The code in the enrolment link that the terminal shows.
    ///
    /// # Errors
    /// When none is shown in time.
    pub fn enrolment_code(&self) -> anyhow::Result<String> {
        let line = self.wait_for_line("/enrol?code=")?;
        let code = line.split("code=").nth(1).unwrap_or_default();
        Ok(code.chars().take_while(char::is_ascii_hexdigit).collect())
    }

    fn wait_for_line(&self, wanted: &str) -> anyhow::Result<String> {
        self.said.wait_for(wanted, PATIENCE)
    }

    /// Everything that the process said so far, on both its outputs, restarts included.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.all()
    }

    /// A command that sees the gateway's own disk, if it has one.
    #[must_use]
    pub fn beside(&self, program: &str) -> Command {
        match &self.namespace {
            None => Command::new(program),
            Some(namespace) => namespace.command(program),
        }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The installation's key file.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("keys").join("installation.key")
    }

    /// Waits until agents are served.
    ///
    /// # Errors
    /// When they are not in time.
    pub fn wait_for_agents(&self) -> anyhow::Result<()> {
        let address = format!("127.0.0.1:{}", self.agents_port);
        let web = Web {
            host: address.clone(),
            address,
        };
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if web.send("GET", "/.tagout/health", &[], "").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("agents are not served")
    }

    /// Ends the process at once, as a power cut would.
    ///
    /// # Errors
    /// When there is no process.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self
            .process
            .take()
            .ok_or_else(|| anyhow!("it is not running"))?;
        for pid in self.pids() {
            // Those that have gone by themselves meanwhile are as dead as the others.
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
        // The shell or `script` around it ends with it.
        let _ = child.kill();
        child.wait()?;
        Ok(())
    }

    /// Whether there is a process.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The processes that serve this gateway: those with our configuration on their command line.
    #[must_use]
    pub fn pids(&self) -> Vec<String> {
        let wanted = self.config().display().to_string();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let serves = |entry: &fs::DirEntry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&wanted)
        };
        entries
            .filter(serves)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// When it has not in time.
    pub fn wait_until_dead(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let process = self
                .process
                .as_mut()
                .ok_or_else(|| anyhow!("it is not running"))?;
            if process.try_wait()?.is_some() {
                self.process = None;
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the gateway is still alive")
    }

    /// Starts again on the same folders and ports, after somebody has enrolled. `environment` replaces
    /// that of the first start.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self, environment: Vec<(String, String)>) -> anyhow::Result<()> {
        self.environment = environment;
        self.run(false)?;
        self.wait_for_agents()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.process.is_some() {
            // The test is over; what can't be killed any more has gone by itself.
            let _ = self.kill();
        }
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
