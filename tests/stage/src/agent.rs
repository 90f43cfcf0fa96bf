//! An agent: a token, and programs that send requests with it. All that they hear is kept.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use serde_json::{Value, json};

/// An agent that knows its token and where the gateway is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Agent {
    /// Its token.
    pub token: String,
    /// The id of its connection, which is no secret.
    pub connection: String,
    /// The agents' listener: `http://127.0.0.1:port`.
    pub gateway: String,
    /// The proxy that it is told to use, if it is not told another address.
    pub proxy: Option<Proxy>,
    /// Every byte that its programs said or were told. Clones share it.
    pub transcript: Transcript,
}

/// The gateway as a proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http://name:token@127.0.0.1:port`.
    pub url: String,
    /// The file with the certificate authority to trust.
    pub ca: String,
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
            proxy: None,
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

    /// The same agent, told to use a proxy. What it sends inside carries its token as well, as clients do
    /// that insist on a credential of their own.
    #[must_use]
    pub fn through(&self, proxy: Proxy) -> Self {
        Self {
            proxy: Some(proxy),
            ..self.clone()
        }
    }

    /// What curl is told to reach a path of a host with the token.
    #[must_use]
    pub fn address(&self, path: &str, host: &str) -> Vec<String> {
        let authorization = format!("Authorization: Bearer {}", self.token);
        let mut told = vec!["-H".to_owned(), authorization];
        match &self.proxy {
            None => {
                told.extend(["-H".to_owned(), format!("Host: {host}")]);
                told.push(format!("{}{path}", self.gateway));
            }
            Some(proxy) => {
                told.push("--suppress-connect-headers".to_owned());
                told.extend(["--proxy".to_owned(), proxy.url.clone()]);
                told.extend(["--cacert".to_owned(), proxy.ca.clone()]);
                told.push(format!("https://{host}{path}"));
            }
        }
        told
    }

    /// Where a program finds a host of Railway's: the gateway, or the host itself by way of the proxy.
    fn base(&self) -> &str {
        match self.proxy {
            None => &self.gateway,
            Some(_) => "https://backboard.railway.com",
        }
    }

    /// What stands in an agent's environment about the way it has to take.
    fn environment(&self) -> Vec<(&'static str, &str)> {
        let mut environment = vec![
            ("TAGOUT_TOKEN", self.token.as_str()),
            ("TAGOUT_URL", self.base()),
        ];
        if let Some(proxy) = &self.proxy {
            environment.extend([
                ("HTTPS_PROXY", proxy.url.as_str()),
                ("SSL_CERT_FILE", &proxy.ca),
            ]);
        }
        environment
    }

    /// Runs a program as the agent does: with nothing in its environment but a path, the token and the
    /// way to the gateway. What it says is kept.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> anyhow::Result<Output> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment())
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
        self.send(path, host, &["-X", method], b"")
    }

    /// Sends a request with more arguments for curl, and bytes for `@-`.
    ///
    /// # Errors
    /// When curl gets no answer.
    pub fn send(
        &self,
        path: &str,
        host: &str,
        more: &[&str],
        input: &[u8],
    ) -> anyhow::Result<Heard> {
        let address = self.address(path, host);
        let address = address.iter().map(String::as_str);
        let arguments: Vec<&str> = address.chain(more.iter().copied()).collect();
        self.curl_with(&arguments, input)
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
        self.send(path, host, &["-d", body], b"")
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

    /// Seconds after which to ask again, if the answer says so.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        let in_head = found.and_then(|(_, seconds)| seconds.trim().parse().ok());
        let json = self.json();
        let in_body = json.pointer("/errors/0/extensions/retry_after_s");
        in_head.or_else(|| in_body.and_then(Value::as_u64))
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
