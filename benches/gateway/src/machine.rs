//! On what it was measured: figures without this mean nothing.

use std::process::Command;

use serde::Serialize;

/// The machine and the programs.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
    pub(crate) nginx: String,
    pub(crate) rustc: String,
}

impl Machine {
    /// Looks at the machine; the load after is filled in at the end.
    pub(crate) fn look() -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split(": ").nth(1));
        Self {
            processor: processor.unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            load_before: load(),
            load_after: String::new(),
            nginx: said(Command::new("nginx").arg("-v")),
            rustc: said(Command::new("rustc").arg("--version")),
        }
    }
}

/// The load averages of one, five and fifteen minutes.
pub(crate) fn load() -> String {
    let line = first_line("/proc/loadavg");
    line.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn first_line(file: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// What a program says of its version, on either output.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else {
        return "not found".to_owned();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or_default().to_owned()
}
