//! Destinations of others: what is known of them, and how they are found.
//!
//! Source: spec/endpoint.md#peers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::exchange::RecipientPublic;
use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::{DestinationHash, RatchetPublic};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::announce::APP_DATA_MAX;
use nexus_wire::reticulum::path_request::Tag;
use nexus_wire::reticulum::{Announce, Packet, PathRequest};

use crate::contract::{Bytes, Effect, Event, Failure, Found, Handle};
use crate::endpoint::{Endpoint, Timer, fail, tell};
use crate::limits::{Limits, tree};
use crate::packets::SINGLE_MAX;

/// What was heard of a destination is asked for again after so long: its ratchet may be another. The relay mostly knows.
const FRESH: Duration = Duration::from_secs(300);
/// A path is asked for so often, each time waited for so long.
const ASKED: u8 = 3;
const ASKING: Duration = Duration::from_secs(6);
/// An answer may take so long, and so much more for each hop.
const PER_HOP: Duration = Duration::from_secs(6);

/// Another's destination.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) public: IdentityPublic,
    ratchet: Option<RatchetPublic>,
    pub(crate) hops: u8,
    app_data: Box<[u8]>,
    /// When it was heard; none if the node remembered it.
    heard: Option<Instant>,
    emitted_at: u64,
}

/// One that is looked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    errands: Vec<Errand>,
    asked: u8,
}

/// What waits for a path.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Somebody wants to know who it is.
    Tell { handle: Handle },
    /// A packet.
    Send { handle: Handle, plaintext: Bytes },
    /// A link is to be asked for.
    Open { handle: Handle },
}

/// Whether an announce is its destination's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Verified,
    Refused,
}

impl Peer {
    /// To what packets outside of links are encrypted.
    pub(crate) fn seal<T>(&self, with: impl FnOnce(RecipientPublic<'_>) -> T) -> T {
        match &self.ratchet {
            Some(ratchet) => with(RecipientPublic::Ratchet(ratchet)),
            None => with(RecipientPublic::Identity(&self.public.exchange())),
        }
    }

    /// How long an answer may take.
    pub(crate) fn patience(&self) -> Duration {
        PER_HOP.times(u64::from(self.hops).saturating_add(1))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < FRESH)
    }
}

impl Wanted {
    pub(crate) fn memory_bound(limits: Limits) -> usize {
        let Limits { wanted, errands, .. } = limits;
        let errand = size_of::<Errand>().saturating_mul(2).saturating_add(SINGLE_MAX).saturating_add(64);
        tree(wanted, size_of::<(DestinationHash, Self)>())
            .saturating_add(wanted.saturating_mul(errands.saturating_mul(errand)))
    }
}

/// What the peers take.
pub(crate) fn memory_bound(limits: Limits) -> usize {
    let peers = limits.peers;
    tree(peers, size_of::<(DestinationHash, Peer, u64)>())
        .saturating_add(tree(peers, size_of::<(u64, DestinationHash)>()))
        .saturating_add(peers.saturating_mul(APP_DATA_MAX))
}

impl Endpoint {
    /// Carries out an errand with a peer that was heard of late, or asks for a path first.
    pub(crate) fn find(&mut self, cx: Cx, to: DestinationHash, errand: Errand, out: &mut impl Sink<Effect>) {
        if self.own.serves(&to) {
            return fail(errand.handle(), Failure::Own, out);
        }
        let (errands, destinations) = (self.limits.errands, self.limits.wanted);
        if let Some(wanted) = self.wanted.get_mut(&to) {
            if wanted.errands.len() >= errands {
                return fail(errand.handle(), Failure::Busy, out);
            }
            return wanted.errands.push(errand);
        }
        if self.peers.get(&to).is_some_and(|peer| peer.is_fresh(cx.now)) {
            return self.run(cx, to, errand, out);
        }
        if self.wanted.len() >= destinations {
            return fail(errand.handle(), Failure::Busy, out);
        }
        self.wanted.insert(to, Wanted { errands: Vec::from([errand]), asked: 0 });
        self.ask(cx.now, to, out);
    }

    fn ask(&mut self, now: Instant, wanted: DestinationHash, out: &mut impl Sink<Effect>) {
        let Some(waiting) = self.wanted.get_mut(&wanted) else { return };
        waiting.asked = waiting.asked.saturating_add(1);
        let tag = Tag::new(&self.random.bytes::<16>()).expect("it is as long as a tag may be");
        Self::say(&PathRequest { wanted, requester: None, tag }, out);
        self.deadlines.set(Timer::Path(wanted), now.after(ASKING));
    }

    /// Nobody answered yet. What was known before is better than nothing.
    pub(crate) fn no_path_yet(&mut self, cx: Cx, to: DestinationHash, out: &mut impl Sink<Effect>) {
        if self.wanted.get(&to).is_some_and(|wanted| wanted.asked < ASKED) {
            return self.ask(cx.now, to, out);
        }
        if self.peers.contains(&to) {
            return self.found(cx, to, out);
        }
        out.push(Effect::Recall(to));
    }

    /// What the node kept of a destination to which nobody knows a way is as good as what was known here before.
    pub(crate) fn recalled(
        &mut self,
        cx: Cx,
        to: DestinationHash,
        announce: Option<&[u8]>,
        out: &mut impl Sink<Effect>,
    ) {
        if let Some(Ok(packet)) = announce.map(Packet::decode)
            && packet.destination == to
            && self.wanted.contains_key(&to)
        {
            self.learn(&packet, None);
        }
        if self.peers.contains(&to) {
            return self.found(cx, to, out);
        }
        let Some(wanted) = self.wanted.remove(&to) else { return };
        self.deadlines.cancel(Timer::Path(to));
        for errand in wanted.errands {
            fail(errand.handle(), Failure::NoPath, out);
        }
    }

    pub(crate) fn hear_announce(&mut self, cx: Cx, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let destination = packet.destination;
        if !self.wanted.contains_key(&destination) && !self.peers.contains(&destination) {
            return;
        }
        if self.learn(packet, Some(cx.now)) == Verdict::Verified {
            self.found(cx, destination, out);
        }
    }

    /// Keeps what an announce says, if it is its destination's own and the newest.
    fn learn(&mut self, packet: &Packet<'_>, heard: Option<Instant>) -> Verdict {
        let Ok(announce) = Announce::from_packet(packet) else { return Verdict::Refused };
        if announce.verify().is_err() {
            return Verdict::Refused;
        }
        let destination = packet.destination;
        let emitted_at = announce.claim.random_hash.emitted_at();
        let known = self.peers.get(&destination);
        // A ratchet that was replaced may be forgotten: none but the newest announce counts.
        if known.is_none_or(|known| known.emitted_at <= emitted_at) {
            let peer = Peer {
                public: announce.claim.public,
                ratchet: announce.claim.ratchet,
                hops: packet.hops.get(),
                app_data: announce.claim.app_data.into(),
                heard,
                emitted_at,
            };
            // Whoever was heard longest ago makes room, and is asked for again.
            let _displaced = self.peers.insert(destination, peer);
        }
        Verdict::Verified
    }

    fn found(&mut self, cx: Cx, to: DestinationHash, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel(Timer::Path(to));
        let Some(wanted) = self.wanted.remove(&to) else { return };
        for errand in wanted.errands {
            self.run(cx, to, errand, out);
        }
    }

    fn run(&mut self, cx: Cx, to: DestinationHash, errand: Errand, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get(&to).cloned() else {
            return fail(errand.handle(), Failure::NoPath, out);
        };
        match errand {
            Errand::Tell { handle } => {
                let Peer { public: identity, hops, app_data, .. } = peer;
                let peer = Found { destination: to, identity, hops, app_data: app_data.into_vec() };
                tell(Event::Found { handle, peer }, out);
            }
            Errand::Open { handle } => self.ask_for_link(cx.now, handle, to, &peer, out),
            Errand::Send { handle, plaintext } => {
                self.send_sealed(cx.now, handle, to, &peer, &plaintext.0, out);
            }
        }
    }
}

impl Errand {
    pub(crate) const fn handle(&self) -> Handle {
        match self {
            Self::Tell { handle } | Self::Send { handle, .. } | Self::Open { handle } => *handle,
        }
    }
}
