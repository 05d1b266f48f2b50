//! The organ that owns the neighbours: it makes links with them, keeps them, seals and opens what goes over them.
//!
//! Invariants:
//!
//! * nothing that is not authentic changes anything or is answered, but for the messages of handshakes within their rates;
//! * both sides of a handshake agree on it, or neither keeps it: at most one link to a node on an interface;
//! * no nonce is used twice under a key, and no frame is accepted twice;
//! * keys live in memory only and never longer than twice their rekey interval.
//!
//! The per-packet path is two direct calls, [`Links::receive`] and [`Links::seal`], in place. Spec: spec/network.md#links.

mod airtime;
mod answering;
mod beacons;
mod carried;
mod contract;
mod cookies;
mod dials;
mod entropy;
pub(crate) mod fragments;
mod interfaces;
mod keys;
mod lately;
mod limits;
mod link;
mod meeting;
mod naming;
mod opening;
pub(crate) mod pace;
mod peer;
pub mod policy;
pub mod refusals;
pub(crate) mod replay_window;
mod sessions;
mod share;
pub mod status;
mod strangers;
mod terms;
#[cfg(test)]
mod tests;
mod traffic;
mod trials;
mod waiting;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodeIdentity};
use nexus_machine::{
    BoundedMap, Bucket, Cx, Deadlines, Duration, Instant, Key, Machine, MapOverflow, Seed, Sink, Slab, Stream,
};
use nexus_wire::nexus::announce::Capabilities;
use nexus_wire::nexus::frame::{BeaconTag, LinkVersion, SessionId};
use nexus_wire::nexus::handshake::{LinkPayload, PayloadFlags};
use nexus_wire::nexus::path_cost::Hop;

use crate::interface::{InterfaceId, Profile, Reach};
use crate::tap::Tap;

use airtime::Airtime;
use answering::{Answering, FirstHash};
use carried::Carrier;
pub use carried::carried;
pub use contract::{Effect, Input};
use cookies::Cookies;
use dials::{Dial, Place as DialPlace};
pub use limits::Limits;
use link::{Desk, Link, Made, Wish};
use opening::Opening;
use pace::Pace;
pub use policy::Policy;
pub use refusals::Refusals;
use refusals::Refused;
use sessions::{Owner, Place, Sessions};
pub use status::{Down, LinkStatus, Traffic, Trust};
use strangers::Strangers;
pub use traffic::{Opened, Withheld};
use trials::Strikes;
use waiting::Waiting;

/// Names one link for as long as it is up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub Key);

/// The version of the link protocol that this node speaks, the only one.
const VERSION: u8 = LinkVersion::ONE.0;
/// Beacon tags remembered.
const TAGS: usize = 1_024;
/// Peers remembered whose last link did not hold.
const STRUCK: usize = 256;
/// Keys may be made for so long after fresh entropy before more is asked for.
const ENTROPY_AGE: Duration = Duration::from_secs(60);

/// The organ.
#[derive(Debug)]
#[allow(clippy::struct_field_names, reason = "links are what it has, beside much else")]
pub struct Links {
    own: NodeIdentity,
    policy: Policy,
    interfaces: BTreeMap<InterfaceId, Interface>,
    links: Slab<Link>,
    by_peer: BTreeMap<(InterfaceId, NodeId), LinkId>,
    by_endpoint: BTreeMap<DialPlace, LinkId>,
    sessions: Sessions,
    opening: BTreeMap<Place, Opening>,
    answering: BTreeMap<Place, Answering>,
    by_first: BTreeMap<(InterfaceId, FirstHash), SessionId>,
    dials: BTreeMap<DialPlace, Dial>,
    /// Whose beacons carry which tag.
    tags: BoundedMap<(InterfaceId, BeaconTag), NodeId>,
    /// Peers whose last link did not hold.
    struck: BoundedMap<(InterfaceId, NodeId), Strikes>,
    deadlines: Deadlines<Timer>,
    random: Stream,
    entropy: Entropy,
    refusals: Refusals,
    limits: Limits,
    /// Frames and messages that could not leave.
    withheld: u64,
    pub(crate) tap: Tap,
    /// How long keys are used, if not as their medium says.
    #[cfg(test)]
    rekey_after: Option<Duration>,
}

/// An interface on which links are made.
#[derive(Debug)]
struct Interface {
    profile: Profile,
    carrier: Carrier,
    pace: Pace,
    /// By how much its price is raised, in 65,536ths.
    surge: u32,
    /// What this node calls itself in its beacons.
    tag: BeaconTag,
    /// What it called itself before, and until when it answers to that.
    former: Option<(BeaconTag, Instant)>,
    /// What of the channel is left for links, where it is shared.
    airtime: Airtime,
    /// Who was heard on a shared channel.
    strangers: Strangers,
    /// Whose first messages wait on a shared channel.
    waiting: Waiting,
    /// First messages that are answered without a cookie, and rebuilds of handshakes.
    answers: Bucket,
    /// First messages that are answered with a cookie's proof.
    proved: Bucket,
    /// Beacons that are answered with a first message.
    invitations: Bucket,
    /// Beacons brought forward because somebody seems to have come.
    greetings: Bucket,
    cookies: Cookies,
    beacons_sent: u32,
}

/// Whether the stream was refreshed of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entropy {
    /// Keys may be made.
    Fresh,
    /// A key was made since: more was asked for, or will be.
    Used,
    /// None may be made before there is more: this machine may be running twice.
    Awaited,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Opening(Place),
    Answering(Place),
    Link(LinkId),
    Dial(DialPlace),
    Beacon(InterfaceId),
    /// A stranger is to be met.
    Meeting(InterfaceId),
    /// A first message waits to be answered.
    Waiting(InterfaceId),
    Entropy,
}

impl Links {
    /// The organ without interfaces. The seed is fresh entropy.
    #[must_use]
    pub fn new(own: NodeIdentity, policy: Policy, limits: Limits, seed: &Seed) -> Self {
        Self {
            own,
            policy,
            interfaces: BTreeMap::new(),
            links: Slab::new(limits.links),
            by_peer: BTreeMap::new(),
            by_endpoint: BTreeMap::new(),
            sessions: Sessions::default(),
            opening: BTreeMap::new(),
            answering: BTreeMap::new(),
            by_first: BTreeMap::new(),
            dials: BTreeMap::new(),
            tags: BoundedMap::new(TAGS, MapOverflow::EvictLeastRecent),
            struck: BoundedMap::new(STRUCK, MapOverflow::EvictLeastRecent),
            deadlines: Deadlines::default(),
            random: seed.fork("links"),
            entropy: Entropy::Fresh,
            refusals: Refusals::default(),
            limits,
            withheld: 0,
            tap: Tap::default(),
            #[cfg(test)]
            rekey_after: None,
        }
    }

    /// The links that are up.
    pub fn status(&self) -> impl Iterator<Item = LinkStatus> {
        self.links.iter().map(|(key, link)| link.status(LinkId(key)))
    }

    /// Whether links are made on an interface: it is up, and speaks no other language.
    #[must_use]
    pub fn runs_on(&self, iface: InterfaceId) -> bool {
        self.interfaces.contains_key(&iface)
    }

    /// Whether a link is up.
    #[must_use]
    pub fn is_up(&self, link: LinkId) -> bool {
        self.links.get(link.0).is_some()
    }

    /// What was sent over a link within the last second or two, in bits per second.
    pub(crate) fn sent_bps(&self, link: LinkId, now: Instant) -> u64 {
        self.links.get(link.0).map_or(0, |link| link.lately.bps(now))
    }

    /// Who is at the other end of a link, and on which interface it is.
    pub(crate) fn peer(&self, link: LinkId) -> Option<(NodeId, InterfaceId)> {
        self.links.get(link.0).map(|link| (link.peer.node_id(), link.iface))
    }

    /// What the first link with a node is like, if there is one.
    #[must_use]
    pub fn hop_to(&self, node: NodeId) -> Option<Hop> {
        let (_, link) = self.by_peer.iter().find(|((_, peer), _)| *peer == node)?;
        self.hop(*link)
    }

    /// Whether there is a link with a node.
    #[must_use]
    pub fn is_linked(&self, node: NodeId) -> bool {
        self.by_peer.keys().any(|(_, peer)| *peer == node)
    }

    /// The links with a neighbour: one on each interface on which there is one.
    pub(crate) fn with(&self, node: NodeId) -> Vec<LinkId> {
        self.by_peer.iter().filter(|((_, peer), _)| *peer == node).map(|(_, link)| *link).collect()
    }

    /// What was refused, by cause.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Frames that were not sealed, and messages for which there was no frame: their link was gone, its peer's address was not
    /// shown, or they were too long.
    #[must_use]
    pub const fn withheld(&self) -> u64 {
        self.withheld
    }

    /// A message for which [`Links::frames`] had no frame.
    pub const fn withhold(&mut self) {
        self.withheld = self.withheld.saturating_add(1);
    }

    /// Handshakes that are on their way: those that this node began, those that others did.
    #[must_use]
    pub fn handshakes(&self) -> (usize, usize) {
        (self.opening.len(), self.answering.len())
    }

    /// The longest frame that both sides of a link take, in bytes.
    #[must_use]
    pub fn max_frame(&self, link: LinkId) -> Option<usize> {
        self.links.get(link.0).map(Link::max_frame)
    }

    /// What a link adds to a path, as measured or guessed.
    #[must_use]
    pub fn hop(&self, link: LinkId) -> Option<Hop> {
        self.links.get(link.0).map(Link::hop)
    }

    /// Lets a link act with what it needs of the organ.
    fn at_desk<S: Sink<Effect>, R>(
        &mut self,
        cx: Cx,
        id: LinkId,
        out: &mut S,
        act: impl FnOnce(&mut Link, &mut Desk<'_, S>) -> R,
    ) -> Option<R> {
        let link = self.links.get_mut(id.0)?;
        let mut desk = Desk {
            cx,
            id,
            own: self.own.node_id(),
            airtime: &mut self.interfaces.get_mut(&link.iface)?.airtime,
            sessions: &mut self.sessions,
            random: &mut self.random,
            refusals: &mut self.refusals,
            out,
        };
        Some(act(link, &mut desk))
    }

    /// Sees to it that the link is woken in time. A deadline that moved away is left: waking early does no harm, and costs
    /// less than moving it with every frame.
    fn schedule(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        let at = link.deadline(self.own.node_id());
        if at < link.wakes_at {
            link.wakes_at = at;
            self.deadlines.set(Timer::Link(id), at);
        }
    }

    /// Puts a link in place of whatever there was with the same peer on the same interface.
    fn establish(
        &mut self,
        cx: Cx,
        made: Made,
        met: DialPlace,
        out: &mut impl Sink<Effect>,
    ) -> Option<LinkId> {
        let interface = self.interfaces.get(&made.iface)?;
        let (pace, iface, peer) = (interface.pace, made.iface, made.peer.node_id());
        let somewhere = interface.profile.reach != Reach::Shared;
        let (session, is_shown) = (made.keys.at, made.unshown.is_none());
        if let Some(old) = self.by_peer.get(&(iface, peer)).copied() {
            self.end(cx, old, Down::Replaced, out);
        }
        let strikes = self.struck.remove(&(iface, peer)).unwrap_or(Strikes::NONE);
        let Ok(key) = self.links.insert(Link::new(made, strikes, pace, cx.now)) else {
            self.refusals.count(Refused::crowded);
            self.sessions.retire(cx.now, (iface, session));
            return None;
        };
        let id = LinkId(key);
        self.sessions.give((iface, session), Owner::Link(id));
        self.by_peer.insert((iface, peer), id);
        // An address where nothing shows that the peer receives is nobody's yet.
        if is_shown {
            if somewhere {
                self.by_endpoint.insert(met, id);
            }
            self.linked(met);
        }
        out.push(Effect::Up(Box::new(self.links.get(key)?.status(id))));
        self.at_desk(cx, id, out, Link::tell);
        self.schedule(id);
        self.space_probes(iface);
        Some(id)
    }

    /// Ends a link and lets its sessions rest.
    fn end(&mut self, cx: Cx, id: LinkId, why: Down, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.remove(id.0) else { return };
        self.deadlines.cancel(Timer::Link(id));
        for session in link.sessions() {
            self.sessions.retire(cx.now, (link.iface, session));
        }
        let peer = (link.iface, link.peer.node_id());
        let strikes = link.last_strikes(why, cx.now);
        if strikes.count(cx.now) > 0 {
            // At the bound whoever was struck longest ago is forgotten.
            let _forgotten = self.struck.insert(peer, strikes);
        }
        let place = (link.iface, link.endpoint, BeaconTag::ANYBODY);
        let shown = link.lives_at().map(|_| place);
        if self.by_peer.get(&peer) == Some(&id) {
            self.by_peer.remove(&peer);
        }
        if self.by_endpoint.get(&place) == Some(&id) {
            self.by_endpoint.remove(&place);
        }
        out.push(Effect::Down { last: Box::new(link.status(id)), why });
        self.space_probes(link.iface);
        self.unlinked(cx, link.iface, shown, why, out);
    }

    /// What this node says of itself in a handshake on an interface.
    fn says(&self, interface: &Interface) -> LinkPayload {
        LinkPayload {
            flags: PayloadFlags::new(self.own.public().sign(), VERSION),
            capabilities: Capabilities(0),
            bandwidth: interface.pace.bandwidth,
            max_frame: interface.profile.frame_size,
        }
    }

    fn wake_link(&mut self, cx: Cx, id: LinkId, out: &mut impl Sink<Effect>) {
        if let Some(link) = self.links.get_mut(id.0) {
            link.wakes_at = Instant::NEVER;
        }
        match self.at_desk(cx, id, out, Link::due) {
            None | Some(Wish::Nothing) => {}
            Some(Wish::Renewal) => self.renew(cx, id, out),
            Some(Wish::End(why)) => self.end(cx, id, why, out),
        }
        self.schedule(id);
    }
}

impl Machine for Links {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.up(cx, iface, profile, out),
            Input::Carry { iface, profile, peer } => self.carry(cx, iface, profile, peer, out),
            Input::Down(iface) => self.down(cx, iface, out),
            Input::Frame { iface, from, bytes } => {
                self.receive(cx, iface, from, bytes, out);
            }
            Input::Dial { iface, to, expected } => {
                self.dial(cx, (iface, Some(to), BeaconTag::ANYBODY), expected);
            }
            Input::Undial { iface, to } => self.undial((iface, Some(to), BeaconTag::ANYBODY)),
            Input::Retag(iface, tag) => self.retag(cx, iface, tag),
            Input::Named { link, tag } => self.named(link, tag),
            Input::Heard { link } => self.heard_otherwise(cx, link, out),
            Input::Policy(policy) => self.set_policy(cx, policy, out),
            Input::Price { iface, price } => self.set_price(iface, price, out),
            Input::Carries(iface, bps) => self.set_bandwidth(iface, bps, out),
            Input::Surge(iface, extra) => self.set_surge(iface, extra, out),
            Input::Entropy(entropy) => self.entropy(cx, &entropy),
            Input::ClocksParted => self.clocks_parted(cx, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Opening(place) => self.repeat_opening(cx, place, out),
                Timer::Answering(place) => self.forget_answering(cx, place),
                Timer::Link(id) => self.wake_link(cx, id, out),
                Timer::Dial(place) => self.redial(cx, place, out),
                Timer::Beacon(iface) => self.send_beacon(cx, iface, out),
                Timer::Meeting(iface) => self.meet(cx, iface, out),
                Timer::Waiting(iface) => self.answer_waiting(cx, iface, out),
                Timer::Entropy => {
                    self.deadlines.set(Timer::Entropy, cx.now.after(ENTROPY_AGE));
                    out.push(Effect::EntropyWanted);
                }
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}
