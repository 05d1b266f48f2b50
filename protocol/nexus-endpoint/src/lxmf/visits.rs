//! Visits to the propagation node: what it kept is listed, fetched, opened, and then deleted there. Source: spec/lxmf.md#organ.

use alloc::collections::BTreeSet;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::lxmf::{GetRequest, Stored, TransientId};

use super::contract::{Effect, TEXT_MAX};
use super::incoming::Form;
use super::outgoing::Errand;
use super::{Lxmf, Timer, count};
use crate::contract::{Bytes, Command as Wish, Question};

/// The node is asked so often, and after a visit that came to nothing so soon.
const EVERY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(60);
/// An answer may take so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many ids of a list are looked at, and so many messages fetched at once.
const LISTED: usize = 256;
const FETCHED: usize = 8;
/// The most that is fetched at once, in thousands of bytes.
const LIMIT_KB: u64 = 64;
/// The longest message that is opened, in bytes.
const SEALED_MAX: usize = TEXT_MAX + 1_024;

/// What a visit holds.
pub(super) const MEMORY_BOUND: usize = 16 * 1_024;

/// How far a visit is.
#[derive(Debug, Default)]
pub(super) enum Visit {
    /// There is none.
    #[default]
    None,
    /// A link is waited for.
    Calling,
    /// A list is.
    Listing(LinkId),
    /// Messages are.
    Fetching(LinkId),
    /// Messages are opened: those that are not yet, and those that need not be kept.
    Opening(LinkId, BTreeSet<TransientId>, Vec<TransientId>),
    /// It is told what need not be kept.
    Telling(LinkId),
}

impl Lxmf {
    /// Visits the node, if there is one.
    pub(super) fn visit(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        let Some(node) = self.presence.as_ref().and_then(|presence| presence.node) else {
            self.visit = Visit::None;
            return;
        };
        self.deadlines.set(Timer::Visit, now.after(EVERY));
        if let Some((link, _)) = self.line_to(&node) {
            return self.list(link, out);
        }
        self.visit = Visit::Calling;
        self.call(node, out);
    }

    /// There is a link with the node.
    pub(super) fn node_answered(&mut self, link: LinkId, out: &mut impl Sink<Effect>) {
        if matches!(self.visit, Visit::Calling) {
            self.list(link, out);
        }
    }

    pub(super) fn visit_failed(&mut self, now: Instant) {
        self.visit = Visit::None;
        self.deadlines.set(Timer::Visit, now.after(AGAIN));
    }

    pub(super) const fn is_calling_node(&self) -> bool {
        matches!(self.visit, Visit::Calling)
    }

    /// The link of a visit is no more.
    pub(super) fn visit_cut(&mut self, now: Instant, gone: LinkId) {
        let link = match &self.visit {
            Visit::Listing(link)
            | Visit::Fetching(link)
            | Visit::Opening(link, ..)
            | Visit::Telling(link) => Some(*link),
            Visit::None | Visit::Calling => None,
        };
        if link == Some(gone) {
            self.visit_failed(now);
        }
    }

    fn list(&mut self, link: LinkId, out: &mut impl Sink<Effect>) {
        self.introduce(link, out);
        self.visit = Visit::Listing(link);
        self.get(link, &GetRequest::List, out);
    }

    fn get(&mut self, link: LinkId, request: &GetRequest, out: &mut impl Sink<Effect>) {
        let handle = self.next_handle(Errand::Get);
        let (path, data) = (GetRequest::PATH.to_string(), Bytes(request.encode()));
        out.push(Effect::Endpoint(Wish::Request {
            handle,
            link,
            question: Question { path, data, within: PATIENCE },
        }));
    }

    /// The node answered.
    pub(super) fn got(&mut self, cx: Cx, data: &[u8], out: &mut impl Sink<Effect>) {
        match core::mem::take(&mut self.visit) {
            Visit::Listing(link) => self.listed(cx.now, link, data, out),
            Visit::Fetching(link) => self.fetched(cx.now, link, data, out),
            Visit::Telling(link) => self.list(link, out),
            Visit::None | Visit::Calling | Visit::Opening(..) => {}
        }
    }

    fn listed(&mut self, now: Instant, link: LinkId, data: &[u8], out: &mut impl Sink<Effect>) {
        let Ok(Ok(ids)) = GetRequest::listed(data, LISTED) else { return self.visit_failed(now) };
        let (had, mut wanted): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| self.fetched.contains(id));
        // As many as can be held.
        wanted.truncate(FETCHED.min(self.limits.held.saturating_sub(self.held.len())));
        if wanted.is_empty() {
            if had.is_empty() {
                self.used(now, link);
                return;
            }
            self.visit = Visit::Telling(link);
            return self.get(link, &GetRequest::Had(had), out);
        }
        self.visit = Visit::Fetching(link);
        self.get(link, &GetRequest::Fetch { wanted, had, limit_kb: LIMIT_KB }, out);
    }

    fn fetched(&mut self, now: Instant, link: LinkId, data: &[u8], out: &mut impl Sink<Effect>) {
        let Ok(Ok(messages)) = GetRequest::fetched(data) else { return self.visit_failed(now) };
        let is_own = |stored: &Stored<'_>| stored.destination == self.address;
        let all: Vec<_> =
            messages.into_iter().filter_map(Stored::decode).filter(is_own).take(FETCHED).collect();
        let mut had = Vec::new();
        let mut sealed = BTreeSet::new();
        for stored in all {
            let id = stored.id();
            if stored.sealed.len() > SEALED_MAX {
                // It would be fetched again and again.
                count(&mut self.refusals.too_long);
                had.push(id);
            } else if sealed.insert(id) {
                let handle = self.next_handle(Errand::Unseal { id });
                let (destination, sealed) = (self.address, Bytes(stored.sealed.to_vec()));
                out.push(Effect::Endpoint(Wish::Unseal { handle, destination, sealed }));
            }
        }
        if sealed.is_empty() && had.is_empty() {
            // Nothing fits the limit, or nothing is for this node.
            return self.visit_failed(now);
        }
        self.opened(now, link, sealed, had, out);
    }

    fn opened(
        &mut self,
        now: Instant,
        link: LinkId,
        sealed: BTreeSet<TransientId>,
        had: Vec<TransientId>,
        out: &mut impl Sink<Effect>,
    ) {
        if !sealed.is_empty() {
            self.visit = Visit::Opening(link, sealed, had);
        } else if had.is_empty() {
            self.visit_failed(now);
        } else {
            self.visit = Visit::Telling(link);
            self.get(link, &GetRequest::Had(had), out);
        }
    }

    /// A message that the node kept is open, or cannot be opened.
    pub(super) fn unsealed(
        &mut self,
        cx: Cx,
        id: TransientId,
        plaintext: Option<&[u8]>,
        out: &mut impl Sink<Effect>,
    ) {
        let Visit::Opening(link, mut sealed, mut had) = core::mem::take(&mut self.visit) else { return };
        sealed.remove(&id);
        if let Some(plaintext) = plaintext {
            let _oldest_gives_way = self.fetched.insert(id, ());
            had.push(id);
            self.came(cx, plaintext, Form::Packet, out);
        }
        self.opened(cx.now, link, sealed, had, out);
    }
}
