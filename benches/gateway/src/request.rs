//! What is sent: one GraphQL query of ordinary size, and one small write.

/// Twelve digits that each write replaces by its own number, so that no write is another one again.
const NUMBER: &str = "000000000000";

/// How a request begins and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A query that the pack reads field by field.
    Read,
    /// A thing is added; allowed, since the upstream is labelled as development.
    Write,
}

/// A request, written once.
#[derive(Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    number_at: Option<usize>,
}

/// What a dashboard asks of a project, in one line as clients send it.
const QUERY: &str = "query projectOverview($id: String!) { project(id: $id) { id name description \
createdAt updatedAt isPublic primaryEnvironmentId environments { edges { node { id name isEphemeral \
createdAt updatedAt serviceInstances { edges { node { id serviceId environmentId numReplicas region \
cronSchedule healthcheckPath latestDeployment { id status createdAt staticUrl url } } } } \
volumeInstances { edges { node { id environmentId currentSizeMB createdAt } } } } } } services { edges \
{ node { id name icon createdAt updatedAt deployments { edges { node { id status createdAt } } } } } } \
volumes { edges { node { id name createdAt } } } } }";

impl Kind {
    /// The path at the origin.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Read => "/graphql/v2",
            Self::Write => "/v1/things",
        }
    }

    fn body(self) -> String {
        match self {
            Self::Read => serde_json::json!({
                "operationName": "projectOverview",
                "query": QUERY,
                "variables": {"id": "3d2c1b00-5a4f-4a6e-9c1d-0e8b7a6f5d4c"},
            })
            .to_string(),
            Self::Write => serde_json::json!({
                "name": "a thing",
                "number": NUMBER,
                "tags": ["one", "two"],
                "note": "an ordinary small write, as an agent sends it all day",
            })
            .to_string(),
        }
    }
}

impl Request {
    /// A request for `path` at `host`, with the agent's token where the gateway wants it.
    pub(crate) fn new(kind: Kind, host: &str, path: &str, token: Option<&str>) -> Self {
        let body = kind.body();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tagout-bench\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\n{}Content-Length: {}\r\n\r\n{body}",
            token.unwrap_or_default(),
            body.len()
        );
        Self {
            number_at: text.find(NUMBER),
            bytes: text.into_bytes(),
        }
    }

    /// The bytes, with this number in them where there is one.
    pub(crate) fn numbered(&mut self, number: u64) -> &[u8] {
        if let Some(at) = self.number_at {
            let digits = format!("{number:012}");
            self.bytes
                .splice(at..at + NUMBER.len(), digits.into_bytes());
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use tagout_core::effect::Effect;
    use tagout_core::operation::Attempt;
    use tagout_http::understand::{Packs, Understanding};

    use super::*;

    fn worst(pack: &str, kind: Kind) -> Effect {
        let packs = Packs::built_in().unwrap();
        let upstream: tagout_core::ids::UpstreamName = "bench".parse().unwrap();
        let names = [(upstream.clone(), vec![pack.to_owned()])].into();
        let understanding = Understanding::new(&packs, &names).unwrap();
        let mut request = Request::new(kind, "localhost", kind.path(), None);
        let bytes = request.numbered(7).to_vec().into();
        understanding
            .classify(&Attempt { upstream, bytes })
            .unwrap()
            .worst()
    }

    #[test]
    fn they_mean_what_they_are_measured_as() {
        assert_eq!(worst("railway", Kind::Read), Effect::Read);
        assert_eq!(worst("rest-default", Kind::Write), Effect::Write);
    }

    #[test]
    fn every_write_is_another_one() {
        let mut request = Request::new(Kind::Write, "localhost", "/", None);
        let (one, two) = (request.numbered(1).to_vec(), request.numbered(2).to_vec());
        assert_ne!(one, two);
        assert_eq!(one.len(), two.len());
        let mut read = Request::new(Kind::Read, "localhost", "/", None);
        assert_eq!(read.numbered(1).to_vec(), read.numbered(2).to_vec());
    }
}
