//! Messages of our own, to either side. Each function appends one message to what is to be sent.
//!
//! Texts end with a zero on the wire, so a zero inside one would end it early and let the rest pass for
//! something else: it is written as `?`.

use bytes::{BufMut as _, BytesMut};

use super::client::Target;
use super::server::Status;

/// One message: its tag, its length, and what `body` appends.
fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    with_length(out, body);
}

/// What `body` appends, with its length before it, which counts itself.
fn with_length(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_i32(0);
    body(out);
    // Nothing of ours comes near two gibibytes: texts are shorter than the longest message taken.
    let length = i32::try_from(out.len() - at).unwrap_or(i32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn text(out: &mut BytesMut, text: &str) {
    if text.as_bytes().contains(&0) {
        out.extend_from_slice(text.replace('\0', "?").as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.put_u8(0);
}

fn value(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        None => out.put_i32(-1),
        Some(bytes) => {
            out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.extend_from_slice(bytes);
        }
    }
}

fn count(out: &mut BytesMut, length: usize) {
    out.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
}

fn target(out: &mut BytesMut, of: Target<'_>) {
    let (kind, name) = match of {
        Target::Statement(name) => (b'S', name),
        Target::Portal(name) => (b'P', name),
    };
    out.put_u8(kind);
    text(out, name);
}

// To a server.

/// The first packet: protocol 3 with this minor version, and these parameters.
pub fn startup<'a>(
    out: &mut BytesMut,
    minor: u16,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    with_length(out, |out| {
        out.put_u16(3);
        out.put_u16(minor);
        for (name, value) in parameters {
            text(out, name);
            text(out, value);
        }
        out.put_u8(0);
    });
}

/// May we have TLS?
pub fn ssl_request(out: &mut BytesMut) {
    with_length(out, |out| out.put_u32((1234 << 16) | 5679));
}

/// Stop what this process does.
pub fn cancel_request(out: &mut BytesMut, process: u32, secret: &[u8]) {
    with_length(out, |out| {
        out.put_u32((1234 << 16) | 5678);
        out.put_u32(process);
        out.extend_from_slice(secret);
    });
}

/// A password with a zero at its end.
pub fn password(out: &mut BytesMut, secret: &[u8]) {
    message(out, b'p', |out| {
        out.extend_from_slice(secret);
        out.put_u8(0);
    });
}

/// The first step of SASL.
pub fn sasl_initial(out: &mut BytesMut, mechanism: &str, first: &str) {
    message(out, b'p', |out| {
        text(out, mechanism);
        value(out, Some(first.as_bytes()));
    });
}

/// A further step of SASL.
pub fn sasl_response(out: &mut BytesMut, step: &str) {
    message(out, b'p', |out| out.extend_from_slice(step.as_bytes()));
}

/// Statements, to be run at once.
pub fn query(out: &mut BytesMut, sql: &str) {
    message(out, b'Q', |out| text(out, sql));
}

/// A statement to be kept.
pub fn parse(out: &mut BytesMut, name: &str, sql: &str, types: &[u32]) {
    message(out, b'P', |out| {
        text(out, name);
        text(out, sql);
        count(out, types.len());
        types.iter().for_each(|each| out.put_u32(*each));
    });
}

/// Parameters as text; results come as text.
pub fn bind(out: &mut BytesMut, portal: &str, statement: &str, parameters: &[Option<&[u8]>]) {
    message(out, b'B', |out| {
        text(out, portal);
        text(out, statement);
        out.put_u16(0);
        count(out, parameters.len());
        parameters.iter().for_each(|each| value(out, *each));
        out.put_u16(0);
    });
}

/// What does it take and give?
pub fn describe(out: &mut BytesMut, of: Target<'_>) {
    message(out, b'D', |out| target(out, of));
}

/// Run a portal for at most so many rows; all of them for 0.
pub fn execute(out: &mut BytesMut, portal: &str, max_rows: i32) {
    message(out, b'E', |out| {
        text(out, portal);
        out.put_i32(max_rows);
    });
}

/// Forget it.
pub fn close(out: &mut BytesMut, of: Target<'_>) {
    message(out, b'C', |out| target(out, of));
}

/// Send what you have.
pub fn flush(out: &mut BytesMut) {
    message(out, b'H', |_| {});
}

/// The end of a series.
pub fn sync(out: &mut BytesMut) {
    message(out, b'S', |_| {});
}

/// Good bye.
pub fn terminate(out: &mut BytesMut) {
    message(out, b'X', |_| {});
}

// To either.

/// Data of a COPY.
pub fn copy_data(out: &mut BytesMut, data: &[u8]) {
    message(out, b'd', |out| out.extend_from_slice(data));
}

/// All of it.
pub fn copy_done(out: &mut BytesMut) {
    message(out, b'c', |_| {});
}

/// No more of it.
pub fn copy_fail(out: &mut BytesMut, reason: &str) {
    message(out, b'f', |out| text(out, reason));
}

// To a client.

/// Signed in.
pub fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_u32(0));
}

/// The password itself, please.
pub fn authentication_cleartext(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_u32(3));
}

/// SASL by one of these, please.
pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.put_u32(10);
        mechanisms.iter().for_each(|name| text(out, name));
        out.put_u8(0);
    });
}

/// Our answer in SASL.
pub fn authentication_sasl_continue(out: &mut BytesMut, step: &str) {
    message(out, b'R', |out| {
        out.put_u32(11);
        out.extend_from_slice(step.as_bytes());
    });
}

/// Our proof in SASL.
pub fn authentication_sasl_final(out: &mut BytesMut, step: &str) {
    message(out, b'R', |out| {
        out.put_u32(12);
        out.extend_from_slice(step.as_bytes());
    });
}

/// The newest minor version spoken here, and the options that are not known.
pub fn negotiate_protocol_version(out: &mut BytesMut, minor: u16, unknown: &[&str]) {
    message(out, b'v', |out| {
        // Servers send all of the version, whatever the documentation says, and clients expect it.
        out.put_u16(3);
        out.put_u16(minor);
        out.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
        unknown.iter().for_each(|name| text(out, name));
    });
}

/// A setting, and its value from now on.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

/// What may be asked to stop, and how.
pub fn backend_key_data(out: &mut BytesMut, process: u32, secret: &[u8]) {
    message(out, b'K', |out| {
        out.put_u32(process);
        out.extend_from_slice(secret);
    });
}

/// Waiting for the next query.
pub fn ready_for_query(out: &mut BytesMut, status: Status) {
    message(out, b'Z', |out| out.put_u8(status.letter()));
}

/// What an error or a notice of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// `ERROR`, `FATAL`, `NOTICE`, `WARNING`.
    pub severity: &'a str,
    /// The SQLSTATE: never left out.
    pub sqlstate: &'a str,
    /// One line, complete in itself.
    pub message: &'a str,
    /// More about it.
    pub detail: Option<&'a str>,
    /// What to do now.
    pub hint: Option<&'a str>,
}

fn said(out: &mut BytesMut, tag: u8, what: &Said<'_>) {
    message(out, tag, |out| {
        let fields = [
            (b'S', Some(what.severity)),
            (b'V', Some(what.severity)),
            (b'C', Some(what.sqlstate)),
            (b'M', Some(what.message)),
            (b'D', what.detail),
            (b'H', what.hint),
        ];
        for (letter, field) in fields {
            if let Some(field) = field {
                out.put_u8(letter);
                text(out, field);
            }
        }
        out.put_u8(0);
    });
}

/// Something failed.
pub fn error_response(out: &mut BytesMut, what: &Said<'_>) {
    said(out, b'E', what);
}

/// Something is to be known.
pub fn notice_response(out: &mut BytesMut, what: &Said<'_>) {
    said(out, b'N', what);
}

/// The columns that follow, by name: all of them text.
pub fn row_description(out: &mut BytesMut, names: &[&str]) {
    const TEXT: u32 = 25;
    message(out, b'T', |out| {
        count(out, names.len());
        for name in names {
            text(out, name);
            out.put_u32(0);
            out.put_i16(0);
            out.put_u32(TEXT);
            out.put_i16(-1);
            out.put_i32(-1);
            out.put_i16(0);
        }
    });
}

/// One row.
pub fn data_row(out: &mut BytesMut, values: &[Option<&[u8]>]) {
    message(out, b'D', |out| {
        count(out, values.len());
        values.iter().for_each(|each| value(out, *each));
    });
}

/// A command is done.
pub fn command_complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| text(out, tag));
}

/// The types of a statement's parameters.
pub fn parameter_description(out: &mut BytesMut, types: &[u32]) {
    message(out, b't', |out| {
        count(out, types.len());
        types.iter().for_each(|each| out.put_u32(*each));
    });
}

/// There was no statement.
pub fn empty_query_response(out: &mut BytesMut) {
    message(out, b'I', |_| {});
}

/// A statement is kept.
pub fn parse_complete(out: &mut BytesMut) {
    message(out, b'1', |_| {});
}

/// A portal is made.
pub fn bind_complete(out: &mut BytesMut) {
    message(out, b'2', |_| {});
}

/// It is forgotten.
pub fn close_complete(out: &mut BytesMut) {
    message(out, b'3', |_| {});
}

/// It gives no rows.
pub fn no_data(out: &mut BytesMut) {
    message(out, b'n', |_| {});
}

/// There are more rows in the portal.
pub fn portal_suspended(out: &mut BytesMut) {
    message(out, b's', |_| {});
}

/// We wait for a COPY's data, so many columns of them.
pub fn copy_in_response(out: &mut BytesMut, binary: bool, columns: u16) {
    copy_response(out, b'G', binary, columns);
}

/// A COPY's data follow, so many columns of them.
pub fn copy_out_response(out: &mut BytesMut, binary: bool, columns: u16) {
    copy_response(out, b'H', binary, columns);
}

fn copy_response(out: &mut BytesMut, tag: u8, binary: bool, columns: u16) {
    message(out, tag, |out| {
        out.put_u8(u8::from(binary));
        out.put_u16(columns);
        (0..columns).for_each(|_| out.put_u16(u16::from(binary)));
    });
}
