//! An agent: a token, and programs that send requests with it. All that they hear is kept.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use serde_json::{Value, json};

/// An agent that knows its token and where the gateway is.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its token.
    pub token: String,
    /// The id of its connection, which is no secret.
    pub connection: String,
    /// The agents' listener: `http://127.0.0.1:port`.
    pub gateway: String,
    /// Every byte that its programs said or were told. Clones share it.
    pub transcript: Transcript,
}

/// Every byte that an agent could read, kept to be searched afterwards.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<u8>>>);

impl Transcript {
    fn add(&self, bytes: &[u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
    }

    /// What it holds so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What the agent heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The status.
    pub status: u16,
    /// The headers, as they came.
    pub headers: String,
    /// The body.
    pub body: String,
}

impl Agent {
    /// An agent that has heard nothing yet.
    #[must_use]
    pub fn new(connection: String, token: String, gateway: String) -> Self {
        Self {
            token,
            connection,
            gateway,
            transcript: Transcript::default(),
        }
    }

    /// The same agent with something else as its token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Runs a program as the agent does: with nothing in its environment but a path, the token and the
    /// gateway's address. What it says is kept.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> anyhow::Result<Output> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TAGOUT_TOKEN", &self.token)
            .env("TAGOUT_GATEWAY", &self.gateway)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{program}` is needed to play an agent"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input has ended already; its status says why.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output()?;
        self.transcript.add(&output.stdout);
        self.transcript.add(&output.stderr);
        Ok(output)
    }

    /// Sends curl with these arguments; adds nothing that goes over the wire.
    ///
    /// # Errors
    /// When curl can't be run or gets no answer.
    pub fn curl(&self, arguments: &[&str]) -> anyhow::Result<Heard> {
        self.curl_with(arguments, b"")
    }

    /// The same with bytes on standard input, for `--data-binary @-`.
    ///
    /// # Errors
    /// When curl can't be run or gets no answer.
    pub fn curl_with(&self, arguments: &[&str], input: &[u8]) -> anyhow::Result<Heard> {
        let always = ["-sS", "-i", "--max-time", "60"];
        let arguments: Vec<&str> = always.iter().chain(arguments).copied().collect();
        let output = self.run("curl", &arguments, input)?;
        if !output.status.success() {
            anyhow::bail!("curl: {}", String::from_utf8_lossy(&output.stderr));
        }
        Heard::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Sends a GraphQL document with variables, as most libraries do.
    ///
    /// # Errors
    /// When curl gets no answer.
    pub fn graphql_with(&self, document: &str, variables: &Value) -> anyhow::Result<Heard> {
        let body = json!({"query": document, "variables": variables}).to_string();
        self.post("/graphql/v2", "backboard.railway.com", &body)
    }

    /// Sends a request without a body to a host.
    ///
    /// # Errors
    /// When curl gets no answer.
    pub fn ask(&self, method: &str, path: &str, host: &str) -> anyhow::Result<Heard> {
        let authorization = format!("Authorization: Bearer {}", self.token);
        let host = format!("Host: {host}");
        let url = format!("{}{path}", self.gateway);
        self.curl(&["-X", method, &url, "-H", &authorization, "-H", &host])
    }

    /// Sends a GraphQL document in the form in which the incident's was published: no Content-Type, the
    /// old host, everything inline.
    ///
    /// # Errors
    /// When curl gets no answer.
    pub fn graphql(&self, document: &str) -> anyhow::Result<Heard> {
        let body = json!({"query": document}).to_string();
        self.post("/graphql/v2", "backboard.railway.app", &body)
    }

    /// Posts a body as curl does by itself.
    ///
    /// # Errors
    /// When curl gets no answer.
    pub fn post(&self, path: &str, host: &str, body: &str) -> anyhow::Result<Heard> {
        let authorization = format!("Authorization: Bearer {}", self.token);
        let host = format!("Host: {host}");
        let url = format!("{}{path}", self.gateway);
        self.curl(&[
            "-X",
            "POST",
            &url,
            "-H",
            &authorization,
            "-H",
            &host,
            "-d",
            body,
        ])
    }
}

impl Heard {
    /// Reads what `curl -i` shows, or a program that prints the same.
    ///
    /// # Errors
    /// When it is not an HTTP answer.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut rest = text;
        loop {
            let (headers, body) = rest.split_once("\r\n\r\n").context("no answer")?;
            let status = headers
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            let status: u16 = status.context("no status")?;
            if status == 100 {
                rest = body;
                continue;
            }
            return Ok(Self {
                status,
                headers: headers.to_owned(),
                body: body.to_owned(),
            });
        }
    }

    /// The body as JSON; null if it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The code of a GraphQL error of the gateway's: `HELD`, `DENIED` …
    #[must_use]
    pub fn code(&self) -> Option<String> {
        self.text("/errors/0/extensions/code")
    }

    /// The kind of answer of the gateway's, whatever its shape: from its code, else from the first word.
    #[must_use]
    pub fn kind(&self) -> Option<String> {
        let word = || {
            let line = self.line();
            line.split_once(" by tagout")
                .map(|(word, _)| word.to_owned())
        };
        self.code().or_else(word)
    }

    /// Where the agent can ask how its hold stands.
    #[must_use]
    pub fn status_url(&self) -> Option<String> {
        self.text("/errors/0/extensions/status_url")
            .or_else(|| self.text("/status_url"))
    }

    /// The hold that the answer names.
    #[must_use]
    pub fn hold(&self) -> Option<String> {
        self.text("/errors/0/extensions/hold_id")
            .or_else(|| self.text("/hold_id"))
    }

    /// The first line of the answer.
    #[must_use]
    pub fn line(&self) -> String {
        self.text("/errors/0/message")
            .or_else(|| self.text("/title"))
            .unwrap_or_else(|| self.body.clone())
    }

    /// A text in the answer, or in the first answer of a batch.
    fn text(&self, pointer: &str) -> Option<String> {
        let json = self.json();
        json.get(0)
            .unwrap_or(&json)
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    }
}
