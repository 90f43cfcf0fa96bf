//! A person with a software passkey, who goes through ceremonies over the wire.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tagout_authenticator::{Created, Page, Signed, SoftAuthenticator, base64url};

use super::desk::CODE;
use super::wire::{Answer, Served};

pub(crate) struct Person {
    pub(crate) key: SoftAuthenticator,
    pub(crate) cookie: String,
}

impl Person {
    /// Enrols as the first one, and so is signed in.
    pub(crate) async fn enrolled(served: &Served) -> Self {
        let mut person = Self {
            key: SoftAuthenticator::new().unwrap(),
            cookie: String::new(),
        };
        let wish = json!({"wish": "enrol", "code": CODE, "name": "Mara"});
        let answer = person.perform(served, &wish).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        person.cookie = cookie.split(';').next().unwrap().to_owned();
        person
    }

    /// Begins a ceremony, touches the key, and finishes it; gives the last answer.
    pub(crate) async fn perform(&mut self, served: &Served, wish: &Value) -> Answer {
        let begun = served.post("/api/v1/ceremonies", &self.cookie, wish).await;
        if begun.status != 200 {
            return begun;
        }
        let ceremony = begun.json();
        let answer = self.touch(served, &ceremony);
        let path = format!("/api/v1/ceremonies/{}", ceremony["id"].as_str().unwrap());
        served.post(&path, &self.cookie, &answer).await
    }

    /// What the authenticator answers.
    pub(crate) fn touch(&mut self, served: &Served, ceremony: &Value) -> Value {
        let page = Page::new(ceremony["rp_id"].as_str().unwrap(), &served.origin);
        let challenge = ceremony["challenge"].as_str().unwrap();
        let challenge = URL_SAFE_NO_PAD.decode(challenge).unwrap();
        match ceremony["kind"].as_str().unwrap() {
            "create" => created(&self.key.create(&page, &challenge)),
            _ => signed(&self.key.sign(&page, &challenge)),
        }
    }
}

fn created(created: &Created) -> Value {
    json!({"created": {
        "credential": base64url(&created.credential),
        "attestation": base64url(&created.attestation),
        "client_data": base64url(&created.client_data),
    }})
}

fn signed(signed: &Signed) -> Value {
    json!({"signed": {
        "credential": base64url(&signed.credential),
        "authenticator_data": base64url(&signed.authenticator_data),
        "client_data": base64url(&signed.client_data),
        "signature": base64url(&signed.signature),
    }})
}
