//! Telling somebody that something waits: one signed webhook, and ntfy.
//!
//! A notice carries a headline and a link to the console, nothing that decides, and is sent by a task
//! of its own: a slow or dead receiver holds nothing up. What can't be delivered is lost; the console
//! shows everything anyway.

mod post;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};
use tagout_engine::{DerivedKey, Notice, Notify};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::config::Notices;
use crate::notify::post::Poster;

/// Notices that may wait for a slow receiver; more are lost.
const WAITING: usize = 256;

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands notices to the task that sends them.
pub(crate) struct Notifier(Sender<Notice>);

impl Notifier {
    /// Starts the task that sends to what the configuration names.
    pub(crate) fn start(notices: &Notices, console: &str, key: DerivedKey) -> anyhow::Result<Self> {
        let (sender, receiver) = channel(WAITING);
        let bell = Bell {
            webhook: notices.webhook.clone(),
            ntfy: notices.ntfy.clone(),
            console: console.to_owned(),
            key,
            poster: Poster::new().context("no certificates to check a notice's receiver with")?,
        };
        tokio::spawn(bell.ring_for(receiver));
        Ok(Self(sender))
    }
}

impl Notify for Notifier {
    fn notify(&self, notice: Notice) {
        if self.0.try_send(notice).is_err() {
            tracing::warn!("a notice was lost: too many wait to be sent");
        }
    }
}

/// Sends notices.
pub(crate) struct Bell {
    webhook: Option<String>,
    ntfy: Option<String>,
    console: String,
    key: DerivedKey,
    poster: Poster,
}

impl Bell {
    async fn ring_for(self, mut notices: Receiver<Notice>) {
        while let Some(notice) = notices.recv().await {
            self.ring(&notice).await;
        }
    }

    async fn ring(&self, notice: &Notice) {
        let link = format!("{}{}", self.console, path_of(notice));
        let line = line_of(notice);
        if let Some(url) = &self.webhook {
            self.webhook(url, notice, &line, &link).await;
        }
        if let Some(url) = &self.ntfy {
            let headers = [("title", "Tagout"), ("click", link.as_str())];
            self.deliver(url, &headers, line.clone()).await;
        }
    }

    async fn webhook(&self, url: &str, notice: &Notice, line: &str, link: &str) {
        let mut body = serde_json::to_value(notice).unwrap_or_default();
        if let Some(members) = body.as_object_mut() {
            members.insert("line".to_owned(), json!(line));
            members.insert("link".to_owned(), json!(link));
        }
        let body = Value::to_string(&body);
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            .to_string();
        let signature = signature(&self.key, &at, &body);
        let headers = [
            ("content-type", "application/json"),
            ("tagout-timestamp", at.as_str()),
            ("tagout-signature", signature.as_str()),
        ];
        self.deliver(url, &headers, body).await;
    }

    async fn deliver(&self, url: &str, headers: &[(&str, &str)], body: String) {
        let sent = tokio::time::timeout(PATIENCE, self.poster.post(url, headers, body)).await;
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a notice was not delivered"),
            Err(_) => tracing::warn!("a notice's receiver took too long"),
        }
    }
}

/// `v1=` and the HMAC-SHA256 over the two parts, each preceded by its length in eight bytes.
fn signature(key: &DerivedKey, timestamp: &str, body: &str) -> String {
    format!(
        "v1={}",
        hex::encode(key.hash(&[timestamp.as_bytes(), body.as_bytes()]))
    )
}

fn path_of(notice: &Notice) -> String {
    match notice {
        Notice::Held { hold, .. } => format!("/holds/{hold}"),
        Notice::Proposed { proposal } => format!("/proposals/{proposal}"),
        _ => "/".to_owned(),
    }
}

fn line_of(notice: &Notice) -> String {
    match notice {
        Notice::Held { headline, .. } => format!("waits for you: {headline}"),
        Notice::Proposed { .. } => "a proposal waits for you".to_owned(),
        Notice::Unknown { line } => format!("nobody can know whether this happened: {line}"),
        Notice::Stray { line } => line.clone(),
        Notice::Tripped { grant } => {
            format!("the budget of {grant} is used up; its task is stopped")
        }
        Notice::Frozen { freeze } => format!("everything is stopped ({freeze})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagout_engine::{InstallationKey, KeyUse};

    #[test]
    fn a_signature_covers_time_and_body() {
        let key = InstallationKey::new([3; 32]).derive(KeyUse::Notices);
        let one = signature(&key, "1", "{}");
        assert!(one.starts_with("v1=") && one.len() == 67, "{one}");
        assert_ne!(one, signature(&key, "2", "{}"));
        assert_ne!(one, signature(&key, "1", "{ }"));
        assert_ne!(signature(&key, "1", "23"), signature(&key, "12", "3"));
    }
}
