//! How the gateway's own answers look in this protocol. The one place where kinds become SQLSTATEs.
//!
//! Class `TG` is nobody else's. No answer has a code of class 28: tools turn those into "password
//! authentication failed", and agents then look for another password.

use bytes::BytesMut;
use tagout_core::refusal::{Refusal, RefusalKind};

use crate::wire::write::{self, Said};

/// The SQLSTATE of an answer.
#[must_use]
pub const fn sqlstate(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Held => "TG001",
        RefusalKind::Denied => "TG002",
        RefusalKind::Budget => "TG003",
        RefusalKind::Frozen => "TG004",
        RefusalKind::Rate => "TG005",
        RefusalKind::Token => "TG006",
        RefusalKind::Unrecorded => "TG007",
        RefusalKind::Upstream => "TG008",
        RefusalKind::Scheduled => "TG009",
        RefusalKind::Done => "TG010",
    }
}

/// Appends the answer as an error: its first line as the message, what is allowed instead as the detail,
/// what to do as the hint.
pub fn error_response(out: &mut BytesMut, severity: &str, refusal: &Refusal) {
    let instead = refusal.instead.as_deref();
    let detail = instead.map(|instead| format!("Allowed instead: {instead}"));
    let said = Said {
        severity,
        sqlstate: sqlstate(refusal.kind),
        message: &refusal.line,
        detail: detail.as_deref(),
        hint: Some(&refusal.advice),
    };
    write::error_response(out, &said);
}
