//! What is written is read again, and nothing that may come makes a reader panic.

use bytes::BytesMut;
use proptest::prelude::*;
use tagout_postgres::wire::client::{ClientMessage, Target};
use tagout_postgres::wire::server::{Authentication, ServerMessage, Status};
use tagout_postgres::wire::write::{self, Said};
use tagout_postgres::wire::{Arrived, FirstPacket, Frame, Frames, Limits, Malformed};
use tokio::io::AsyncRead;

/// Takes apart what was written.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut from: &[u8] = bytes;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(read_all(&mut from))
}

async fn read_all(from: &mut (impl AsyncRead + Unpin)) -> Vec<Frame> {
    let mut reader = Frames::new(Limits::whole(1 << 20));
    let mut found = Vec::new();
    while let Some(Arrived::Frame(frame)) = reader.next(from).await.unwrap() {
        found.push(frame);
    }
    found
}

fn written(body: impl FnOnce(&mut BytesMut)) -> Vec<Frame> {
    let mut out = BytesMut::new();
    body(&mut out);
    frames(&out)
}

/// Messages of a client, as we write them ourselves.
fn of_a_client() -> Vec<Frame> {
    written(|out| {
        write::query(out, "SELECT 'é'");
        write::parse(out, "s", "SELECT $1, $2", &[23, 0]);
        write::bind(out, "p", "s", &[Some(b"7"), None]);
        write::describe(out, Target::Statement("s"));
        write::describe(out, Target::Portal("p"));
        write::execute(out, "p", 10);
        write::close(out, Target::Portal("p"));
        write::flush(out);
        write::sync(out);
        write::copy_data(out, b"1\t2\n");
        write::copy_done(out);
        write::copy_fail(out, "no");
        write::password(out, b"secret");
        write::sasl_initial(out, "SCRAM-SHA-256", "n,,n=,r=x");
        write::sasl_response(out, "c=biws");
        write::terminate(out);
    })
}

/// Messages of a server, likewise.
fn of_a_server() -> Vec<Frame> {
    written(|out| {
        write::authentication_sasl(out, &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
        write::authentication_sasl_continue(out, "r=x");
        write::authentication_sasl_final(out, "v=x");
        write::authentication_cleartext(out);
        write::authentication_ok(out);
        write::negotiate_protocol_version(out, 2, &["_pq_.x"]);
        write::parameter_status(out, "client_encoding", "UTF8");
        write::backend_key_data(out, 7, &[9; 32]);
        write::ready_for_query(out, Status::Transaction);
        write::parse_complete(out);
        write::bind_complete(out);
        write::parameter_description(out, &[23, 25]);
        write::row_description(out, &["a", "b"]);
        write::data_row(out, &[Some(b"1"), None]);
        write::portal_suspended(out);
        write::close_complete(out);
        write::no_data(out);
        write::empty_query_response(out);
        write::command_complete(out, "SELECT 1");
        write::copy_in_response(out, false, 2);
        write::copy_out_response(out, true, 2);
        let said = Said {
            severity: "ERROR",
            sqlstate: "TG001",
            message: "HELD by tagout",
            detail: Some("more"),
            hint: None,
        };
        write::error_response(out, &said);
        write::notice_response(out, &said);
    })
}

#[test]
fn a_clients_messages_are_read_as_written() {
    let read: Vec<String> = of_a_client()
        .iter()
        .map(|frame| match ClientMessage::read(frame).unwrap() {
            ClientMessage::Parse { name, sql, types } => {
                format!("Parse {name} {sql} {:?}", types.iter().collect::<Vec<_>>())
            }
            ClientMessage::Bind(bind) => format!(
                "Bind {} {} {:?} {}",
                bind.portal,
                bind.statement,
                bind.parameters.iter().collect::<Vec<_>>(),
                bind.formats.is_binary(0),
            ),
            other => format!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(read.join("\n"));
}

#[test]
fn a_servers_messages_are_read_as_written() {
    let read: Vec<String> = of_a_server()
        .iter()
        .map(|frame| match ServerMessage::read(frame).unwrap() {
            ServerMessage::Authentication(Authentication::Sasl(list)) => {
                format!("Sasl {:?}", Authentication::mechanisms(list).unwrap())
            }
            ServerMessage::RowDescription(columns) => {
                format!("RowDescription {:?}", columns.iter().collect::<Vec<_>>())
            }
            ServerMessage::DataRow(row) => format!("DataRow {:?}", row.iter().collect::<Vec<_>>()),
            ServerMessage::ParameterDescription(types) => {
                format!(
                    "ParameterDescription {:?}",
                    types.iter().collect::<Vec<_>>()
                )
            }
            ServerMessage::ErrorResponse(report) => format!(
                "ErrorResponse {} {} {} {:?}",
                report.severity(),
                report.sqlstate(),
                report.message(),
                report.field(b'D'),
            ),
            ServerMessage::NoticeResponse(report) => format!("NoticeResponse {}", report.message()),
            other => format!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(read.join("\n"));
}

/// CVE-2026-6666: an error need not have a SQLSTATE, nor anything else.
#[test]
fn an_error_that_says_nothing_is_read() {
    let ServerMessage::ErrorResponse(report) = ServerMessage::read_body(b'E', b"\0").unwrap()
    else {
        panic!("that is an error");
    };
    assert_eq!(report.sqlstate(), "XX000");
    assert_eq!(report.severity(), "ERROR");
    assert_eq!(report.message(), "");
    assert_eq!(
        ServerMessage::read_body(b'E', b"Mx").unwrap_err(),
        Malformed::Unended
    );
}

#[test]
fn a_zero_inside_a_text_ends_nothing() {
    let frames = written(|out| write::query(out, "SELECT 1\0DROP TABLE t"));
    let ClientMessage::Query { sql } = ClientMessage::read(&frames[0]).unwrap() else {
        panic!("that is a query");
    };
    assert_eq!(sql, "SELECT 1?DROP TABLE t");
}

#[test]
fn what_is_malformed_is_said_to_be() {
    let overlong = [&b"\0\0\0\0\0\x01"[..], &i32::MAX.to_be_bytes()].concat();
    let negative = [&b"\0\0\0\0\0\x01"[..], &(-2_i32).to_be_bytes(), b"\0\0"].concat();
    let cases: [(u8, &[u8], Malformed); 19] = [
        (b'Q', b"SELECT 1", Malformed::Unended),
        (b'Q', b"SELECT 1\0\0", Malformed::Long),
        (b'Q', b"SELECT '\xff'\0", Malformed::NotUtf8),
        (b'Q', b"SELECT '\xed\xa0\x80'\0", Malformed::NotUtf8),
        (b'Q', b"", Malformed::Unended),
        (b'P', b"a\0SELECT 1\0", Malformed::Short),
        (b'P', b"a\0SELECT 1\0\xff\xff", Malformed::Short),
        (b'P', b"a\0SELECT 1\0\0\0\0", Malformed::Long),
        (b'B', b"\0\0\0\0\xff\xff", Malformed::Short),
        (b'B', &overlong, Malformed::Short),
        (b'B', &negative, Malformed::Length(-2)),
        (b'B', b"\0\0\0\x01\0\x02\0\0\0\0", Malformed::Format),
        (
            b'B',
            b"\0\0\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0",
            Malformed::Format,
        ),
        (b'D', b"X\0", Malformed::Target(b'X')),
        (b'D', b"", Malformed::Short),
        (b'E', b"p\0\0\0", Malformed::Short),
        (b'S', b"x", Malformed::Long),
        (b'F', b"\0\0", Malformed::Short),
        (b'?', b"", Malformed::Tag(b'?')),
    ];
    for (tag, body, error) in cases {
        let read = ClientMessage::read_body(tag, body);
        assert_eq!(read.unwrap_err(), error, "{} {body:?}", char::from(tag));
    }
}

#[test]
fn first_packets_are_read_and_refused() {
    let packet = |body: &[u8]| FirstPacket::read(body);
    assert_eq!(packet(b"\x04\xd2\x16\x2f"), Ok(FirstPacket::Tls));
    assert_eq!(packet(b"\x04\xd2\x16\x30"), Ok(FirstPacket::Gss));
    let cancel = packet(b"\x04\xd2\x16\x2e\0\0\0\x07abcd");
    let secret = b"abcd".to_vec();
    assert_eq!(cancel, Ok(FirstPacket::Cancel { process: 7, secret }));
    let Ok(FirstPacket::Startup(startup)) = packet(b"\0\x03\0\x02user\0u\0database\0d\0\0") else {
        panic!("that is a startup");
    };
    assert_eq!((startup.minor, startup.parameter("user")), (2, Some("u")));
    let too_long = [&b"\x04\xd2\x16\x2e\0\0\0\x07"[..], &[0; 257]].concat();
    let cases: [(&[u8], Malformed); 11] = [
        (b"", Malformed::Short),
        (b"\0\x02\0\0", Malformed::Protocol(2, 0)),
        (b"\0\x04\0\0", Malformed::Protocol(4, 0)),
        (b"\x04\xd2\x16\x2f\0", Malformed::Long),
        (b"\x04\xd2\x16\x2e\0\0\0\x07abc", Malformed::Short),
        (&too_long, Malformed::Long),
        (b"\0\x03\0\0", Malformed::Unended),
        (b"\0\x03\0\0user\0u\0", Malformed::Unended),
        (b"\0\x03\0\0user\0", Malformed::Unended),
        (b"\0\x03\0\0user\0a\0USER\0b\0\0", Malformed::Twice),
        (b"\0\x03\0\0user\0\xff\0\0", Malformed::NotUtf8),
    ];
    for (body, error) in cases {
        assert_eq!(packet(body), Err(error), "{body:?}");
    }
}

/// Reads it in every way there is.
fn read_in_every_way(tag: u8, body: &[u8]) {
    let _ = FirstPacket::read(body);
    if let Ok(ClientMessage::Bind(bind)) = ClientMessage::read_body(tag, body) {
        assert_eq!(
            bind.parameters.iter().count(),
            usize::from(bind.parameters.count())
        );
        let places = (0..70_000).step_by(9_999);
        let _ = places
            .filter(|place| bind.formats.is_binary(*place))
            .count();
    }
    if let Ok(ClientMessage::Parse { types, .. }) = ClientMessage::read_body(tag, body) {
        assert_eq!(types.iter().len(), types.iter().count());
    }
    match ServerMessage::read_body(tag, body) {
        Ok(ServerMessage::RowDescription(columns)) => {
            assert_eq!(columns.iter().count(), usize::from(columns.count()));
        }
        Ok(ServerMessage::DataRow(row)) => {
            assert_eq!(row.iter().count(), usize::from(row.count()));
        }
        Ok(ServerMessage::ErrorResponse(report)) => {
            let _ = (report.severity(), report.sqlstate(), report.message());
        }
        Ok(ServerMessage::Authentication(Authentication::Sasl(list))) => {
            let _ = Authentication::mechanisms(list);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_make_a_reader_panic(tag: u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
        read_in_every_way(tag, &body);
    }

    /// Real messages with some bytes changed and the end cut off reach further into the readers.
    #[test]
    fn no_damage_makes_a_reader_panic(
        which in 0..1_000_usize,
        damage in prop::collection::vec((0..100_usize, prop_oneof![Just(0), Just(255), any::<u8>()]), 0..6),
        cut in 0..100_usize,
        other_tag in prop::option::of(any::<u8>()),
    ) {
        let messages: Vec<Frame> = of_a_client().into_iter().chain(of_a_server()).collect();
        let frame = &messages[which % messages.len()];
        let mut body = frame.body().to_vec();
        for (at, byte) in damage {
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
        }
        body.truncate(body.len().saturating_sub(cut / 20));
        read_in_every_way(other_tag.unwrap_or(frame.tag), &body);
    }
}

/// A message is all of its bytes.
#[test]
fn what_is_cut_off_is_missed() {
    for frame in of_a_client()
        .iter()
        .filter(|frame| !b"dp".contains(&frame.tag))
    {
        for length in 0..frame.body().len() {
            let cut = ClientMessage::read_body(frame.tag, &frame.body()[..length]);
            assert!(cut.is_err(), "{} {length}", char::from(frame.tag));
        }
    }
}
