//! What must hold of what nodes say and send.

use nexus_network::{Endpoint, InterfaceId};
use nexus_node::{Authorship, Event, Input, Message, Sender};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{KeyName, Sealed};

use super::{Bench, CABLE, NETWORK};
use crate::fuzz::cast::node_id;

impl Bench {
    pub(super) fn look_at(&mut self, node: usize, by: Option<usize>, event: Event) {
        match event {
            Event::LinkUp(status) => {
                let peer = (status.iface, status.peer.node_id());
                assert_eq!(by.map(node_id), Some(peer.1), "a link with somebody who did not send this");
                let up = &mut self.hosts[node].up;
                assert!(up.values().all(|other| *other != peer), "two links with one peer");
                assert!(up.insert(status.id, peer).is_none(), "a link came up twice");
                self.reached.links_up += 1;
            }
            Event::LinkDown { last, .. } => {
                let was = self.hosts[node].up.remove(&last.id);
                assert!(was.is_some(), "what is down was up");
                self.reached.links_down += 1;
                self.reached.rekeys = self.reached.rekeys.max(last.rekeys);
            }
            Event::Announced { emitted_at } => {
                self.emissions.insert((node_id(node).into(), emitted_at));
            }
            Event::Reached { destination, emitted_at, .. } => {
                assert!(self.emissions.contains(&(destination, emitted_at)), "nobody announced {emitted_at}");
                assert_ne!(destination, node_id(node).into(), "it reached itself");
                self.reached.believed += 1;
            }
            Event::MessageArrived(message) => self.shown(node, &message),
            Event::Delivered { handle, .. } | Event::Traced { handle, .. } => {
                let letter = usize::try_from(handle).ok().and_then(|number| self.letters.get(number));
                assert!(letter.is_none_or(|letter| letter.shown && letter.from == node), "it never arrived");
            }
            Event::EntropyWanted if self.answers_entropy => {
                let entropy = Input::Entropy(self.random.bytes());
                self.answers.push_back((node, entropy));
            }
            Event::EntropyWanted
            | Event::Ledger(_)
            | Event::Endpoint(_)
            | Event::Lxmf(_)
            | Event::Economy(_)
            | Event::ChannelJammed { .. }
            | Event::PathFound { .. }
            | Event::PathNotFound { .. }
            | Event::ClocksParted { .. }
            | Event::Attempted { .. }
            | Event::Undelivered { .. } => {}
        }
    }

    fn shown(&mut self, node: usize, message: &Message) {
        let number = message.text.first_chunk().map(|number| u64::from_le_bytes(*number));
        let letter = number.and_then(|number| self.letters.get_mut(usize::try_from(number).ok()?));
        let letter = letter.expect("nobody wrote this");
        assert_eq!(letter.to, node, "it was for another");
        assert!(!letter.shown, "it is shown twice");
        letter.shown = true;
        let (from, authorship) = match message.sender {
            Sender::Verified(from) | Sender::Claimed(from) => (from, Authorship::Signed),
            Sender::Anonymous => (node_id(letter.from), Authorship::Anonymous),
            Sender::Foreign(_) | Sender::ForeignClaimed(_) => panic!("nobody writes from elsewhere"),
        };
        assert_eq!((from, authorship), (node_id(letter.from), letter.authorship), "as from another");
        self.reached.whole += 1;
    }

    /// On a cable, and where addresses are true, one address and session stand for one key at a time.
    pub(super) fn look_at_counter(
        &mut self,
        node: usize,
        iface: InterfaceId,
        to: Option<Endpoint>,
        bytes: &[u8],
    ) {
        let told_apart = match usize::from(iface.0) {
            CABLE => true,
            NETWORK => !self.addresses_lie,
            _ => false,
        };
        let Ok(Sealed { header, .. }) = Sealed::decode(bytes) else { return };
        let KeyName::Session(session) = header.key else { return };
        if !told_apart {
            return;
        }
        let last = self.hosts[node].counters.insert((iface, to, session.get()), header.counter);
        // A number may come again, under another key.
        let grows = last.is_none_or(|last| header.counter > last || header.counter == 0);
        assert!(grows, "a nonce used twice: {last:?}, {}", header.counter);
    }
}
