use futures_util::FutureExt as _;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap();
    [&[kind], length.to_be_bytes().as_slice(), body].concat()
}

fn error(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFEHLER\0VERROR\0C{code}\0M{text}\0Fpostgres.c\0\0");
    message(ERROR, fields.as_bytes())
}

/// The output of the stream for input in these pieces, read in pieces of that size.
fn passed(pieces: &[Vec<u8>], read_at_once: usize) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut server, client) = tokio::io::duplex(1 << 20);
        let mut stream = Coded::new(client, |_| ChannelBinding::none());
        let mut all = Vec::new();
        let mut buffer = vec![0; read_at_once];
        for piece in pieces {
            server.write_all(piece).await.unwrap();
            // Everything that is there is read before the next piece comes.
            while let Some(Ok(length)) = stream.read(&mut buffer).now_or_never() {
                all.extend_from_slice(&buffer[..length]);
            }
        }
        drop(server);
        stream.read_to_end(&mut all).await.unwrap();
        all
    })
}

fn at_once(bytes: &[u8]) -> Vec<u8> {
    passed(&[bytes.to_vec()], 4096)
}

#[test]
fn the_text_of_an_error_begins_with_its_code_whatever_the_language() {
    let before = message(b'Z', b"I");
    let after = message(b'D', b"\0\x01\0\0\0\x01E");
    let sent = [&before[..], &error("40P01", "Verklemmung"), &after].concat();
    let wanted = [
        &before[..],
        &error("40P01", "SQLSTATE 40P01: Verklemmung"),
        &after,
    ]
    .concat();
    assert_eq!(at_once(&sent), wanted);
}

#[test]
fn what_is_no_error_response_with_a_code_passes_as_it_is() {
    for bytes in [
        message(b'D', b"E\0\0\0\x08M\0C40P01\0\0"),
        message(ERROR, b""),
        message(ERROR, b"\0"),
        message(ERROR, b"Mno code\0\0"),
        message(ERROR, b"C4\0Mshort\0\0"),
        message(ERROR, b"C40p01\0Mlower\0\0"),
        message(ERROR, b"C40P01\0Mno end"),
        message(ERROR, &vec![b'M'; LONGEST_ERROR + 1]),
        b"Ecould not fork new process for connection\n\0".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"E\0\0".to_vec(),
        b"E\0\0\0\x20C40P01\0Mcut".to_vec(),
        b"Z\0\0\0\0".to_vec(),
        b"Z\xff\xff\xff\xff".to_vec(),
    ] {
        assert_eq!(at_once(&bytes), bytes, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_long_error_passes_and_the_next_one_has_its_code() {
    let long = error("54000", &"x".repeat(LONGEST_ERROR));
    let sent = [long.clone(), error("40P01", "deadlock")].concat();
    let wanted = [long, error("40P01", "SQLSTATE 40P01: deadlock")].concat();
    assert_eq!(at_once(&sent), wanted);
}

#[test]
fn a_code_is_found_and_taken_off_again() {
    assert_eq!(split("SQLSTATE 40P01: deadlock"), (Some("40P01"), "deadlock"));
    for text in [
        "",
        "deadlock",
        "SQLSTATE",
        "SQLSTATE 40P01",
        "SQLSTATE 40p01: x",
        "SQLSTATE äöü: x",
    ] {
        assert_eq!(split(text), (None, text));
    }
    assert_eq!(
        find("Failed to run 1 with: SQLSTATE 55P03: Sperre"),
        Some("55P03")
    );
    assert_eq!(find("SQLSTATE, SQLSTATE 57014: now"), Some("57014"));
    assert_eq!(find("no code"), None);
}

#[derive(Debug, Clone)]
enum Sent {
    Message(u8, Vec<u8>),
    Error(String, String),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_filter("no error", |(kind, _)| *kind != ERROR)
            .prop_map(|(kind, body)| Sent::Message(kind, body)),
        ("[0-9A-Z]{5}", "[^\0]{0,30}").prop_map(|(code, text)| Sent::Error(code, text)),
    ]
}

proptest! {
    #[test]
    fn however_the_stream_is_cut_only_texts_of_errors_change(
        messages in prop::collection::vec(sent(), 1..12),
        cuts in prop::collection::vec(1_usize..60, 1..30),
        read_at_once in 1_usize..80,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|sent| match sent {
            Sent::Message(kind, body) => message(*kind, body),
            Sent::Error(code, text) => error(code, text),
        }).collect();
        let wanted: Vec<u8> = messages.iter().flat_map(|sent| match sent {
            Sent::Message(kind, body) => message(*kind, body),
            Sent::Error(code, text) => error(code, &format!("SQLSTATE {code}: {text}")),
        }).collect();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, others) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = others;
        }
        prop_assert_eq!(passed(&pieces, read_at_once), wanted);
    }

    #[test]
    fn what_is_no_protocol_passes_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(at_once(&bytes), bytes);
    }
}
