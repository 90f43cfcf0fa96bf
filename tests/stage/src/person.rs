//! A person with a software passkey, who acts through the console's ceremonies like a browser does.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tagout_authenticator::{Page, SoftAuthenticator, base64url};

use crate::web::Web;

/// Somebody who can enrol, sign in and decide.
#[derive(Debug)]
pub struct Person {
    web: Web,
    origin: String,
    page: Page,
    authenticator: SoftAuthenticator,
    cookie: Option<String>,
}

impl Person {
    /// Somebody at the console of this origin, which must be `http://localhost:port`.
    ///
    /// # Errors
    /// Without randomness, or when the origin is another.
    pub fn at(origin: &str) -> anyhow::Result<Self> {
        let host = origin
            .strip_prefix("http://")
            .context("the stage's console is plain http")?;
        let port = host
            .strip_prefix("localhost:")
            .context("the stage's console is on localhost")?;
        Ok(Self {
            web: Web {
                address: format!("127.0.0.1:{port}"),
                host: host.to_owned(),
            },
            origin: origin.to_owned(),
            page: Page::new("localhost", origin),
            authenticator: SoftAuthenticator::new()?,
            cookie: None,
        })
    }

    /// Enrols the first passkey with the terminal's code, which signs in.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn enrol(&mut self, code: &str, name: &str) -> anyhow::Result<()> {
        self.create(&json!({"wish": "enrol", "code": code, "name": name}))
            .map(|_| ())
    }

    /// Joins by invitation; gives the id of the proposal that somebody has to accept.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn join(&mut self, code: &str, name: &str) -> anyhow::Result<String> {
        let settled = self.create(&json!({"wish": "join", "code": code, "name": name}))?;
        let id = settled.pointer("/proposal/0").and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| anyhow!("no proposal in {settled}"))
    }

    fn create(&mut self, wish: &Value) -> anyhow::Result<Value> {
        let ceremony = self.begin(wish)?;
        let created = self
            .authenticator
            .create(&self.page, &challenge(&ceremony)?);
        let answer = json!({"created": {
            "credential": base64url(&created.credential),
            "attestation": base64url(&created.attestation),
            "client_data": base64url(&created.client_data),
        }});
        self.finish(&ceremony, &answer)
    }

    /// Signs in.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn sign_in(&mut self) -> anyhow::Result<()> {
        self.sign(&json!({"wish": "sign_in"})).map(|_| ())
    }

    /// Accepts a proposal.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn accept(&mut self, proposal: &str) -> anyhow::Result<Value> {
        self.sign(&json!({"wish": "settle", "proposal": proposal, "decision": "approve"}))
    }

    /// Answers holds, each with the number of its choice.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn judge(&mut self, holds: &[(&str, usize)], decision: &str) -> anyhow::Result<Value> {
        let holds: Vec<_> = holds
            .iter()
            .map(|(hold, choice)| json!([hold, choice]))
            .collect();
        self.sign(&json!({"wish": "judge", "holds": holds, "decision": decision, "reason": null}))
    }

    /// Approves what the agent asked: the last choice of the card.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn approve(&mut self, hold: &str) -> anyhow::Result<Value> {
        let card = self.get(&format!("/api/v1/holds/{hold}"))?;
        let choices = card
            .pointer("/card/choices")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        self.judge(&[(hold, choices.saturating_sub(1))], "approve")
    }

    /// Reads something while signed in.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, "")
    }

    /// Does something that takes no passkey.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call("POST", path, &body.to_string())
    }

    /// Begins a ceremony, without finishing it.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn begin(&self, wish: &Value) -> anyhow::Result<Value> {
        self.post("/api/v1/ceremonies", wish)
    }

    /// Signs a ceremony's challenge, without sending it.
    ///
    /// # Errors
    /// When the ceremony has no challenge.
    pub fn answer(&mut self, ceremony: &Value) -> anyhow::Result<Value> {
        let signed = self.authenticator.sign(&self.page, &challenge(ceremony)?);
        Ok(json!({"signed": {
            "credential": base64url(&signed.credential),
            "authenticator_data": base64url(&signed.authenticator_data),
            "client_data": base64url(&signed.client_data),
            "signature": base64url(&signed.signature),
        }}))
    }

    /// Finishes a ceremony with an answer; keeps the session if that brings one.
    ///
    /// # Errors
    /// The console's refusal.
    pub fn finish(&mut self, ceremony: &Value, answer: &Value) -> anyhow::Result<Value> {
        let id = ceremony
            .pointer("/id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let page = self.raw(
            "POST",
            &format!("/api/v1/ceremonies/{id}"),
            &answer.to_string(),
        )?;
        let settled = page.json()?;
        if let Some(cookie) = page.header("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        Ok(settled)
    }

    fn sign(&mut self, wish: &Value) -> anyhow::Result<Value> {
        let ceremony = self.begin(wish)?;
        let answer = self.answer(&ceremony)?;
        self.finish(&ceremony, &answer)
    }

    /// Where the console is.
    #[must_use]
    pub const fn web(&self) -> &Web {
        &self.web
    }

    /// The cookie of the session, if somebody is signed in: what a thief would steal.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        self.raw(method, path, body)?.json()
    }

    fn raw(&self, method: &str, path: &str, body: &str) -> anyhow::Result<crate::web::Page> {
        let mut headers = vec![("origin", self.origin.as_str())];
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        if let Some(cookie) = &self.cookie {
            headers.push(("cookie", cookie));
        }
        self.web.send(method, path, &headers, body)
    }
}

fn challenge(ceremony: &Value) -> anyhow::Result<Vec<u8>> {
    let text = ceremony.pointer("/challenge").and_then(Value::as_str);
    let text = text.ok_or_else(|| anyhow!("no challenge in {ceremony}"))?;
    Ok(URL_SAFE_NO_PAD.decode(text)?)
}
