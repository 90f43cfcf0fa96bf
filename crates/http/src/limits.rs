//! Every limit of this crate, with the reason for its value.

use std::time::Duration;

/// Bytes of a request body that are read to be classified; more is refused. GraphQL documents and
/// REST bodies of infrastructure APIs are far below.
pub const REQUEST_BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// Bytes of all request bodies that are in memory at a time; more have to wait. Without it, as many
/// bodies of the full length as there are streams would have to be kept.
pub(crate) const BODIES_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// In what units the memory for bodies is given out.
pub(crate) const BODY_UNIT_BYTES: usize = 1024;

/// Bytes of a request head, about (what one read brought is still looked at), so that a client can't
/// make us buffer without end.
pub(crate) const REQUEST_HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// Header lines of a request; real clients send less than forty.
pub(crate) const REQUEST_HEADERS_LIMIT: usize = 128;

/// Time for a client to send a whole head, counted from the end of the answer before: also how long an
/// idle connection is kept. Slower is an attack or a dead peer.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a client to send a whole body of at most [`REQUEST_BODY_LIMIT_BYTES`].
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a TLS handshake with an agent.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that one listener serves at a time; each costs a few kilobytes when idle.
pub(crate) const CONNECTIONS_LIMIT: usize = 1024;

/// HTTP/2 streams in one agent's connection.
pub(crate) const STREAMS_LIMIT: u32 = 128;

/// Time that open connections get to finish when the gateway stops.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that attempts get to come to their record when the gateway stops, also those whose agent hung
/// up. Service managers kill after a minute and a half.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Time to connect to an upstream, TLS handshake included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time from the request to the head of an upstream's answer. Providers' gateways give up after a
/// minute or two themselves; what comes later is unknown to us.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Time between two pieces of a buffered answer.
pub(crate) const ANSWER_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for one of the gateway's own look-ups, head and body.
pub(crate) const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer that are kept to read its outcome, or to take secrets out. Beyond that the
/// outcome is unknown, and secrets can't be taken out.
pub(crate) const ANSWER_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// Answers of a declared length up to this are read whole before they are passed on: one write
/// instead of several, and nothing is waiting for their first byte.
pub(crate) const SMALL_ANSWER_BYTES: u64 = 64 * 1024;

/// The longest credential that is looked for in a streamed answer. Header lines longer than this are
/// refused by common servers.
pub(crate) const CREDENTIAL_LIMIT_BYTES: usize = 8 * 1024;

/// Idle connections kept for one upstream.
pub(crate) const IDLE_CONNECTIONS_LIMIT: usize = 64;

/// How long an idle connection is kept. Below the keep-alive time of common servers (nginx 75 s,
/// load balancers 60 s).
pub(crate) const IDLE_CONNECTION_LIFE: Duration = Duration::from_secs(50);

/// How long a connection may have been idle to carry an effect. A server that closes an idle
/// connection just as we send leaves the outcome unknown, and an effect is never sent again: so it
/// gets a connection that was in use a moment ago, or a new one.
pub(crate) const EFFECT_IDLE_LIMIT: Duration = Duration::from_secs(2);

/// Operations that run at a time over one agent's WebSocket.
pub(crate) const SUBSCRIPTIONS_LIMIT: usize = 32;

/// How long a subscription may run before the agent has to ask again, and is judged again.
pub(crate) const SUBSCRIPTION_LIFE: Duration = Duration::from_mins(15);

/// Bytes of one declared upload. Providers of deployments refuse larger archives.
pub(crate) const UPLOAD_LIMIT_BYTES: u64 = 512 * 1024 * 1024;

/// Uploads that are on disk at a time, so that agents can't fill it.
pub(crate) const UPLOADS_LIMIT: usize = 4;

/// Time between two pieces of an upload.
pub(crate) const UPLOAD_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time from the first byte of an upload to the head of its answer.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_mins(15);
