//! As much of HTTP/1.1 as answers `GET /metrics`: one request a connection, a head that is bounded, an answer of known length.
//! Source: RFC 9112.

use std::io;
use std::net::IpAddr;

use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest head of a request, in bytes.
pub(super) const MAX_HEAD: usize = 8 * 1_024;
/// The most header fields of a request.
const MAX_FIELDS: usize = 64;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Whether the metrics themselves are wanted.
    pub(super) body: Body,
}

/// Whether an answer's content is wanted beside its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// GET.
    Wanted,
    /// HEAD.
    Unwanted,
}

/// Why nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no request of HTTP/1.
    Malformed,
    /// Its head is too long, or has too many fields.
    TooLong,
    /// Another method.
    Method,
    /// Another path.
    Path,
    /// It was sent to another host: a page of somebody else's, whose name was made to point to this machine.
    Host,
}

/// Reads a request's head. What may follow it is left alone.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Result<Question, Refused>> {
    let mut head = Vec::with_capacity(1_024);
    loop {
        if let Some(known) = understand(&head) {
            return Ok(known);
        }
        if head.len() >= MAX_HEAD {
            return Ok(Err(Refused::TooLong));
        }
        let room = u64::try_from(MAX_HEAD - head.len()).unwrap_or(u64::MAX);
        if (&mut *stream).take(room).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What a head says; none as long as it is not complete.
fn understand(head: &[u8]) -> Option<Result<Question, Refused>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => None,
        Ok(httparse::Status::Complete(_)) => Some(asked(&request)),
        Err(httparse::Error::TooManyHeaders) => Some(Err(Refused::TooLong)),
        Err(_) => Some(Err(Refused::Malformed)),
    }
}

fn asked(request: &httparse::Request<'_, '_>) -> Result<Question, Refused> {
    let mut hosts = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_this_machine(host.value) => {}
        (None, _) if request.version == Some(0) => {}
        (Some(_), None) => return Err(Refused::Host),
        (None, _) | (Some(_), Some(_)) => return Err(Refused::Malformed),
    }
    let body = match request.method {
        Some("GET") => Body::Wanted,
        Some("HEAD") => Body::Unwanted,
        Some(_) | None => return Err(Refused::Method),
    };
    let path = request.path.and_then(|target| target.split('?').next());
    if path == Some("/metrics") { Ok(Question { body }) } else { Err(Refused::Path) }
}

/// `localhost` or an address of this machine's own, with or without a port.
fn is_this_machine(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _port)) => v6,
        None => host.rsplit_once(':').map_or(host, |(name, _port)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// The metrics.
    pub(super) fn metrics(told: &str, body: Body) -> Self {
        Self::of("200 OK", CONTENT_TYPE, "", told, body)
    }

    /// Why they are not told.
    pub(super) fn refusing(refused: Refused) -> Self {
        let (status, more, sentence) = match refused {
            Refused::Malformed => ("400 Bad Request", "", "this is no request"),
            Refused::TooLong => {
                ("431 Request Header Fields Too Large", "", "this request's head is too long")
            }
            Refused::Method => ("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "here is only to read"),
            Refused::Path => ("404 Not Found", "", "metrics are at /metrics"),
            Refused::Host => ("403 Forbidden", "", "metrics are told to this machine alone, by its own name"),
        };
        Self::of(status, PLAIN, more, &format!("{sentence}\n"), Body::Wanted)
    }

    /// The node ends.
    pub(super) fn unavailable(why: &str) -> Self {
        Self::of("503 Service Unavailable", PLAIN, "", &format!("{why}\n"), Body::Wanted)
    }

    fn of(status: &str, kind: &str, more: &str, content: &str, body: Body) -> Self {
        let length = content.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        );
        let content = match body {
            Body::Wanted => content,
            Body::Unwanted => "",
        };
        Self([head.as_bytes(), content.as_bytes()].concat())
    }

    pub(super) async fn write(self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(&self.0).await?;
        stream.shutdown().await
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Option<Result<Question, Refused>> {
        understand(head.as_bytes())
    }

    fn refused(head: &str) -> Refused {
        of(head).unwrap().unwrap_err()
    }

    const HERE: &str = "Host: 127.0.0.1:9464\r\n\r\n";

    #[test]
    fn metrics_are_asked_for_by_get_or_head_and_by_no_other_method_or_path() {
        let question = |body| Some(Ok(Question { body }));
        assert_eq!(of(&format!("GET /metrics HTTP/1.1\r\n{HERE}")), question(Body::Wanted));
        assert_eq!(of(&format!("HEAD /metrics?x=1 HTTP/1.1\r\n{HERE}")), question(Body::Unwanted));
        assert_eq!(refused(&format!("POST /metrics HTTP/1.1\r\n{HERE}")), Refused::Method);
        for path in ["/", "/metrics/", "/metricsx", "*"] {
            assert_eq!(refused(&format!("GET {path} HTTP/1.1\r\n{HERE}")), Refused::Path, "{path}");
        }
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_told_nothing() {
        let of_host = |host: &str| of(&format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).unwrap();
        for host in ["localhost", "LOCALHOST:9464", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:9464"] {
            assert!(of_host(host).is_ok(), "{host}");
        }
        for host in
            ["example.org", "example.org:9464", "192.0.2.1", "[2001:db8::1]:9464", "", "127.0.0.1.example"]
        {
            assert_eq!(of_host(host), Err(Refused::Host), "{host:?}");
        }
        assert_eq!(refused("GET /metrics HTTP/1.1\r\n\r\n"), Refused::Malformed, "HTTP/1.1 wants a host");
        assert_eq!(
            refused("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n"),
            Refused::Malformed
        );
        assert!(of("GET /metrics HTTP/1.0\r\n\r\n").unwrap().is_ok(), "and HTTP/1.0 does not");
    }

    #[test]
    fn what_is_not_complete_is_waited_for_and_what_can_never_be_a_request_is_not() {
        let whole = format!("GET /metrics HTTP/1.1\r\n{HERE}");
        for length in 0..whole.len() {
            assert_eq!(of(&whole[..length]), None, "{length} bytes");
        }
        for nonsense in ["\u{16}\u{3}\u{1}", "GET\r\n", "GET /metrics HTTP/9.9\r\n"] {
            assert_eq!(refused(nonsense), Refused::Malformed, "{nonsense:?}");
        }
        let many = format!("GET /metrics HTTP/1.1\r\n{}{HERE}", "X: y\r\n".repeat(MAX_FIELDS));
        assert_eq!(refused(&many), Refused::TooLong);
    }

    #[tokio::test]
    async fn a_head_without_end_is_read_no_further_than_its_bound() {
        let mut endless: &[u8] = &[&b"GET /metrics HTTP/1.1\r\nX: "[..], &vec![b'x'; 3 * MAX_HEAD]].concat();
        let before = endless.len();
        assert_eq!(read(&mut endless).await.unwrap(), Err(Refused::TooLong));
        assert_eq!(before - endless.len(), MAX_HEAD);
        let mut cut: &[u8] = b"GET /metrics HTT";
        assert_eq!(read(&mut cut).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn an_answer_has_the_length_that_it_says_and_none_of_it_for_head() {
        for (body, expected) in [(Body::Wanted, "a 1\n"), (Body::Unwanted, "")] {
            let mut written = Vec::new();
            Answer::metrics("a 1\n", body).write(&mut written).await.unwrap();
            let written = String::from_utf8(written).unwrap();
            let (head, content) = written.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("Content-Length: 4\r\n") && head.contains("Connection: close"), "{head}");
            assert_eq!(content, expected);
        }
    }
}
