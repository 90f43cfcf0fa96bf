//! Processes of others that must not outlive the measurement.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A process that is ended with its owner.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// Its resident memory and the most it ever was, in megabytes.
    pub(crate) fn memory_mb(&self) -> anyhow::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
            kilobytes.and_then(|number| number.parse::<f64>().ok())
        };
        let resident = of("VmRSS:").context("no resident memory")?;
        let peak = of("VmHWM:").context("no peak of memory")?;
        Ok((resident / 1024.0, peak / 1024.0))
    }
}

/// A running nginx, which is told to stop so that its workers go too.
pub(crate) struct Nginx {
    folder: std::path::PathBuf,
    _master: Ended,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let mut stop = nginx(&self.folder);
        let _ = stop.args(["-s", "stop"]).stderr(Stdio::null()).status();
        std::thread::sleep(Duration::from_millis(200));
    }
}

impl Nginx {
    /// Starts one in a folder of its own, and waits until it listens on `port`.
    pub(crate) fn start(folder: &Path, configuration: &str, port: u16) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("nginx.conf"), configuration)?;
        let master = nginx(folder)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("nginx.log"))?)
            .spawn()
            .context("nginx does not start")?;
        let started = Self {
            folder: folder.to_owned(),
            _master: Ended(master),
        };
        wait_for(port)?;
        Ok(started)
    }
}

fn nginx(folder: &Path) -> Command {
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(folder)
        .args(["-e", "stderr", "-c"])
        .arg(folder.join("nginx.conf"));
    command
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until somebody listens.
pub(crate) fn wait_for(port: u16) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > until {
            bail!("nobody listens on port {port}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Starts a process and gives the first line that it prints.
pub(crate) fn start_and_hear(command: &mut Command) -> anyhow::Result<(Ended, String)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let output = child.stdout.take().context("no output")?;
    let ended = Ended(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok((ended, line))
}
