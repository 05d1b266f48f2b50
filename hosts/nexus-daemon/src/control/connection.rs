//! One client of the control socket.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::{Asked, Client, Replier, Shared};
use crate::api::{Code, MAX_LINE, VERSION, Verb};

/// A client that takes nothing for so long has lost its connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves a client until it has what it asked for, or breaks the rules.
pub(super) async fn serve(stream: UnixStream, asks: mpsc::Sender<Asked>, shared: Arc<Shared>) {
    let (from_client, to_client) = stream.into_split();
    let (lines, waiting) = mpsc::unbounded_channel();
    let client = Arc::new(Client { lines, shared: Arc::clone(&shared) });
    let reading = async {
        read(from_client, client, asks).await;
        // It may wait for answers still, and its subscriptions end.
        shared.done.store(true, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = reading => {}
        () = write(to_client, &shared, waiting) => {}
        () = shared.cut.notified() => {}
    }
    shared.done.store(true, Ordering::Relaxed);
}

/// Until the client asks nothing more, or sends a line that is too long.
async fn read(stream: impl AsyncRead + Unpin, client: Arc<Client>, asks: mpsc::Sender<Asked>) {
    let mut stream = BufReader::new(stream);
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stream).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.len() >= MAX_LINE && line.last() != Some(&b'\n') {
            // What follows is the rest of that line: there is no way back to a beginning.
            let replier = Replier { id: 0, client };
            replier.fail(Code::TooLong, format!("a line is longer than {MAX_LINE} bytes"));
            return;
        }
        match understood(&line, &client) {
            Ok(asked) => {
                if let Err(refused) = asks.send(asked).await {
                    refused.0.replier.fail(Code::Stopping, "the daemon ends");
                    return;
                }
            }
            Err((replier, code, sentence)) => replier.fail(code, sentence),
        }
    }
}

/// What a request has whatever it asks.
#[derive(Deserialize)]
struct Envelope {
    v: Option<u64>,
    id: Option<u64>,
    r#do: Option<String>,
}

type Misunderstood = (Replier, Code, String);

fn understood(line: &[u8], client: &Arc<Client>) -> Result<Asked, Misunderstood> {
    let replier = |id| Replier { id, client: Arc::clone(client) };
    let envelope: Envelope = serde_json::from_slice(line)
        .map_err(|cause| (replier(0), Code::BadRequest, format!("this is no request: {cause}")))?;
    let Some(id) = envelope.id else {
        return Err((replier(0), Code::BadRequest, "a request has an `id`, a number".to_owned()));
    };
    if envelope.v != Some(VERSION.into()) {
        let sentence = format!("a request has `v`, and the version spoken here is {VERSION}");
        return Err((replier(id), Code::UnknownVersion, sentence));
    }
    let Some(verb) = envelope.r#do else {
        return Err((replier(id), Code::BadRequest, "a request says what to `do`".to_owned()));
    };
    let parsed: Result<Verb, _> = serde_json::from_slice(line);
    match parsed {
        Ok(verb) => Ok(Asked { verb, replier: replier(id) }),
        Err(cause) if cause.to_string().starts_with("unknown variant") => {
            Err((replier(id), Code::UnknownVerb, format!("`{verb}` is not known here")))
        }
        Err(cause) => Err((replier(id), Code::BadValue, format!("`{verb}` cannot be read: {cause}"))),
    }
}

/// Until nobody is left who could answer, or the client does not take it.
async fn write(
    mut stream: impl AsyncWrite + Unpin,
    shared: &Shared,
    mut waiting: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(line) = waiting.recv().await {
        match tokio::time::timeout(PATIENCE, stream.write_all(&line)).await {
            Ok(Ok(())) => shared.written(line.len()),
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
