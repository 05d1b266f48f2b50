//! What the daemon asks of Reticulum destinations for clients, each on a link of its own.

use std::collections::BTreeMap;
use std::time::Instant;

use nexus_node::Command;
use nexus_node::endpoint::{Bytes, Command as Wanted, Event, Failure, Handle, Question};
use nexus_wire::reticulum::LinkId;

use super::Service;
use crate::api::{Code, RnsAnswer};
use crate::config::destination;
use crate::control::Replier;
use crate::recordings::{hex, unhex};

/// Clients that wait for answers, at most.
const MAX_ASKING: usize = 32;
/// Nothing, in `MessagePack`.
const NIL: u8 = 0xc0;

/// What a client wants to ask.
pub(super) struct Wish {
    pub(super) path: String,
    pub(super) data: Option<String>,
    pub(super) identify: bool,
    pub(super) for_s: u64,
}

/// What is being asked.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    asking: BTreeMap<Handle, Asking>,
}

#[derive(Debug)]
struct Asking {
    replier: Replier,
    question: Question,
    identify: Identify,
    began: Instant,
    link: Option<LinkId>,
}

/// Whether the other end is told who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identify {
    Told,
    NotTold,
}

impl Service {
    pub(super) async fn rns_request(&mut self, replier: Replier, to: &str, wish: Wish) {
        let to = match destination(to) {
            Ok(to) => to,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let data = wish.data.as_deref().map_or(Some(vec![NIL]), unhex);
        let Some(data) = data.filter(|data| rmpv::decode::read_value(&mut &data[..]).is_ok()) else {
            return replier.fail(Code::BadValue, "the data are no value of MessagePack in hexadecimal");
        };
        if self.requests.asking.len() >= MAX_ASKING {
            return replier.fail(Code::Busy, format!("{MAX_ASKING} requests are on their way already"));
        }
        let handle = self.next_handle();
        let within = nexus_machine::Duration::from_secs(wish.for_s);
        let question = Question { path: wish.path, data: Bytes(data), within };
        let identify = if wish.identify { Identify::Told } else { Identify::NotTold };
        let asking = Asking { replier, question, identify, began: Instant::now(), link: None };
        self.requests.asking.insert(handle, asking);
        self.want([Wanted::Open { handle, to }]).await;
    }

    /// What the endpoint's next answer is known by.
    pub(super) const fn next_handle(&mut self) -> Handle {
        self.requests.last += 1;
        Handle(self.requests.last)
    }

    /// What the endpoint tells.
    pub(super) async fn hear_endpoint(&mut self, event: &Event) {
        self.hear_of_files(event).await;
        match event {
            Event::LinkUp { handle: Some(handle), up } => self.ask_on_link(*handle, up.link).await,
            Event::Responded { handle, data } => {
                let Some(asked) = self.requests.asking.remove(handle) else { return };
                let took_us = u64::try_from(asked.began.elapsed().as_micros()).unwrap_or(u64::MAX);
                asked.replier.ok(&RnsAnswer { data: hex(&data.0), took_us });
                self.want(asked.link.map(|link| Wanted::Close { link })).await;
            }
            Event::Failed { handle, why } => {
                let Some(asked) = self.requests.asking.remove(handle) else { return };
                let (code, sentence) = failed(*why);
                asked.replier.fail(code, sentence);
                self.want(asked.link.map(|link| Wanted::Close { link })).await;
            }
            Event::Serving { name, destination } => {
                tracing::info!("{name} is announced as {destination}");
            }
            Event::NotServing { name, why } => tracing::warn!("{name} is not announced: {why:?}"),
            Event::LinkUp { handle: None, up } => {
                tracing::debug!("a link to {} is up: {}", up.destination, up.link);
            }
            Event::LinkDown { link, why } => tracing::debug!("the link {link} is no more: {why:?}"),
            Event::Found { .. }
            | Event::Received { .. }
            | Event::Delivered { .. }
            | Event::Said { .. }
            | Event::Carried { .. }
            | Event::Identified { .. }
            | Event::Transfer { .. }
            | Event::Channel { .. }
            | Event::Needed { .. }
            | Event::Sealed { .. }
            | Event::Unsealed { .. }
            | Event::Requested(_) => {}
        }
    }

    /// The link is up on which something is to be asked.
    async fn ask_on_link(&mut self, handle: Handle, link: LinkId) {
        let Some(asking) = self.requests.asking.get_mut(&handle) else { return };
        asking.link = Some(link);
        let question = asking.question.clone();
        let identify = (asking.identify == Identify::Told).then_some(Wanted::Identify { link });
        self.want(identify.into_iter().chain([Wanted::Request { handle, link, question }])).await;
    }

    pub(super) async fn want(&mut self, wanted: impl IntoIterator<Item = Wanted>) {
        let wanted: Vec<_> = wanted.into_iter().collect();
        let told = self.handle.ask(move |view| {
            for wanted in wanted {
                view.command(Command::Endpoint(wanted));
            }
        });
        if told.await.is_err() {
            for (_, asked) in std::mem::take(&mut self.requests.asking) {
                asked.replier.fail(Code::Stopping, "the daemon ends");
            }
        }
    }
}

pub(super) fn failed(why: Failure) -> (Code, &'static str) {
    match why {
        Failure::NoPath => (Code::NoPath, "nobody who was asked knows a way to the destination"),
        Failure::NoAnswer => (Code::NoReceipt, "the destination did not answer in time"),
        Failure::NoLink => (Code::NoReceipt, "the link ended before the answer came"),
        Failure::TooLong => (Code::BadValue, "the request is too long for the link"),
        Failure::Busy => (Code::Busy, "as much as may be on its way is on its way already"),
        Failure::Own => (Code::BadValue, "that is a destination of this node itself"),
        Failure::NotTaken(_) => (Code::NoReceipt, "the destination did not take it"),
        Failure::BadKey => (Code::NotFound, "the destination announced a key that is none"),
    }
}
