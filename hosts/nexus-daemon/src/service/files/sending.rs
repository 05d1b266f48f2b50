//! Files that are sent.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use nexus_node::Command;
use nexus_node::endpoint::resource::{Command as Transfer, Compression, Event as Happened, Offer, Purpose};
use nexus_node::endpoint::{Bytes, Command as Wanted, Event, Handle, Need, Supply};
use nexus_wire::reticulum::LinkId;
use rmpv::Value;

use super::super::Service;
use super::super::requests::failed;
use crate::api::{Code, RnsSent};
use crate::config::destination;
use crate::control::Replier;

/// Files that are sent at once, at most.
const MAX_SENDING: usize = 8;

/// A file that is sent.
#[derive(Debug)]
pub(super) struct Sending {
    replier: Replier,
    file: Arc<File>,
    len: u64,
    name: Vec<u8>,
    began: Instant,
    link: Option<LinkId>,
}

impl Service {
    pub(in super::super) async fn rns_send_file(&mut self, replier: Replier, to: &str, path: PathBuf) {
        let to = match destination(to) {
            Ok(to) => to,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        if self.files.sending.len() >= MAX_SENDING {
            return replier.fail(Code::Busy, format!("{MAX_SENDING} files are being sent already"));
        }
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok((metadata, file)) if metadata.is_file() => (metadata, file),
            Ok(_) => return replier.fail(Code::BadValue, format!("{} is no file", path.display())),
            Err(cause) => return replier.fail(Code::System, format!("{}: {cause}", path.display())),
        };
        let name = path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let (handle, len, began) = (self.next_handle(), metadata.len(), Instant::now());
        let sending = Sending { replier, file: Arc::new(file), len, name, began, link: None };
        self.files.sending.insert(handle, sending);
        self.want([Wanted::Open { handle, to }]).await;
    }

    pub(super) async fn hear_of_sending(&mut self, event: &Event) {
        match event {
            Event::LinkUp { handle: Some(handle), up } => self.offer_file(*handle, up.link).await,
            Event::Needed { link, need: Need::Read(handle, from, len) } => {
                self.read_later(*link, *handle, *from, *len);
            }
            Event::Transfer { event: Happened::Sent(handle), .. } => {
                let Some(sent) = self.files.sending.remove(handle) else { return };
                let took_us = u64::try_from(sent.began.elapsed().as_micros()).unwrap_or(u64::MAX);
                sent.replier.ok(&RnsSent { bytes: sent.len, took_us });
                self.want(sent.link.map(|link| Wanted::Close { link })).await;
            }
            Event::Transfer { event: Happened::NotSent(handle, why), .. } => {
                let Some(sending) = self.files.sending.remove(handle) else { return };
                sending.replier.fail(Code::NoReceipt, format!("the other end did not take it all: {why:?}"));
                self.want(sending.link.map(|link| Wanted::Close { link })).await;
            }
            Event::Failed { handle, why } => {
                let Some(sending) = self.files.sending.remove(handle) else { return };
                let (code, sentence) = failed(*why);
                sending.replier.fail(code, sentence);
            }
            _other_news => {}
        }
    }

    /// The link is up: says who sends, and offers the file.
    async fn offer_file(&mut self, handle: Handle, link: LinkId) {
        let Some(sending) = self.files.sending.get_mut(&handle) else { return };
        sending.link = Some(link);
        let name = Value::Map(vec![(Value::from("name"), Value::Binary(sending.name.clone()))]);
        let mut metadata = Vec::new();
        rmpv::encode::write_value(&mut metadata, &name).expect("a vector takes all");
        let compression = Compression::Tried;
        let offer = Offer { len: sending.len, metadata: Some(metadata), purpose: Purpose::Data, compression };
        let command = Transfer::Offer(handle, offer);
        self.want([Wanted::Identify { link }, Wanted::Transfer { link, command }]).await;
    }

    /// Reads a piece where it holds nobody up.
    fn read_later(&self, link: LinkId, handle: Handle, from: u64, len: u32) {
        let Some(sending) = self.files.sending.get(&handle) else { return };
        let (file, host) = (Arc::clone(&sending.file), self.handle.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut data = vec![0; usize::try_from(len).ok()?];
                file.read_exact_at(&mut data, from).ok()?;
                Some(Bytes(data))
            });
            let supply = Supply::Read(handle, read.await.ok().flatten());
            let supplied = Command::Endpoint(Wanted::Supply { link, supply });
            // A host that ended needs nothing.
            let _gone = host.ask(move |view| view.command(supplied)).await;
        });
    }
}
