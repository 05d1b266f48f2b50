//! What follows from a step: writes first, then words. Source: spec/economy.md#stored.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature, VerifyingKey};
use nexus_machine::{Cx, Sink, Write};

use super::account::{self, Word};
use super::keys::{self, Side};
use super::letters::{self, Saying};
use super::store::{Kept, Stage};
use super::{CHANNELS, Channels, Effect, Follows, PATIENCE, Then, Timer};

impl Channels {
    pub(super) fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut durable: VecDeque<Then> = VecDeque::new();
        self.gate.release(through, &mut durable);
        for then in durable {
            let Then::Follows(follows) = then else { continue };
            let Follows { peer, kept, effects } = *follows;
            let Some(neighbour) = self.neighbours.get_mut(&peer) else { continue };
            neighbour.writing = false;
            neighbour.kept = Some(kept);
            neighbour.patience = PATIENCE;
            let linked = neighbour.link.is_some();
            if linked {
                self.deadlines.set(Timer::Again(peer), cx.now.after(PATIENCE));
            }
            for effect in effects {
                if linked || !matches!(effect, Effect::Send(..)) {
                    out.push(effect);
                }
            }
            self.go_on(peer, out);
        }
    }

    /// What waited for the write: first what was commanded, then what a COSIGN carried, the latest message, and a win.
    pub(super) fn go_on(&mut self, peer: NodeId, out: &mut impl Sink<Effect>) {
        for _ in 0..2 {
            let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
            if neighbour.writing {
                return;
            }
            if neighbour.restored {
                return self.forget(peer, out);
            }
            self.obey(peer, out);
            let Some(neighbour) = self.neighbours.get_mut(&peer).filter(|neighbour| !neighbour.writing)
            else {
                return;
            };
            let Some(saying) = neighbour.carried.take().or_else(|| neighbour.inbox.take()) else { break };
            self.said(peer, saying, out);
        }
        self.propose_held(peer, out);
    }

    /// The account of a neighbour with which nothing is being written, and the keys.
    pub(super) fn account_and_keys(
        &self,
        peer: NodeId,
    ) -> Option<(&account::Account<Signature>, keys::Keyring<'_>)> {
        let neighbour = self.neighbours.get(&peer)?;
        let account = neighbour.idle_account()?;
        let key = neighbour.kept.as_ref()?.key;
        Some((account, self.keyring(account.terms.side, key)))
    }

    pub(super) fn keyring(&self, side: Side, peer_key: VerifyingKey) -> keys::Keyring<'_> {
        let public = keys::PublicKeys(keys::Both::of(side, self.identity.public().verifying(), peer_key));
        keys::Keyring { own: &self.identity, public }
    }

    pub(super) fn side_beside(&self, peer: NodeId) -> Side {
        if self.own < peer { Side::A } else { Side::B }
    }

    /// Does what a step says: at once if nothing changes, else when the change is durable.
    pub(super) fn follow(
        &mut self,
        peer: NodeId,
        step: account::Step<Signature>,
        mut writes: Vec<Write>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        let Some(account) = neighbour.account() else { return };
        let (channel, slot) = (account.terms.channel, account.terms.slot);
        let account::Step { next, letters, words } = step;
        let letters = letters
            .into_iter()
            .map(|letter| Effect::Send(peer, Saying { slot, said: letters::Said::Letter(letter) }));
        let logged: Vec<_> = words
            .iter()
            .filter_map(|word| match word {
                Word::Agreed(agreed) => Some(agreed.clone()),
                Word::Accepted(_)
                | Word::Refused(..)
                | Word::Paid(_)
                | Word::Settled(_)
                | Word::NothingToSettle
                | Word::Certified
                | Word::Disputed(_)
                | Word::Outdated(_)
                | Word::Closed { .. }
                | Word::Forgot
                | Word::OtherForgot => None,
            })
            .collect();
        let words = words.into_iter().map(|word| Effect::Word(peer, channel, word));
        let effects: Vec<Effect> = letters.chain(words).collect();
        let Some(next) = next else {
            let linked = neighbour.link.is_some();
            let heard = |effect: &Effect| linked || !matches!(effect, Effect::Send(..));
            return effects.into_iter().filter(heard).for_each(|effect| out.push(effect));
        };
        for agreed in logged {
            writes.extend(neighbour.log(channel, &agreed, self.limits.logged));
        }
        let Some(kept) = neighbour.kept.as_ref() else { return };
        let kept = Kept { stage: Stage::Standing(Box::new(next)), ..kept.clone() };
        self.write(peer, kept, effects, writes, out);
    }

    /// Writes what is kept of a neighbour; `effects` wait for it.
    pub(super) fn write(
        &mut self,
        peer: NodeId,
        kept: Kept,
        effects: Vec<Effect>,
        mut writes: Vec<Write>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        writes.push(Write::set(CHANNELS, &peer.0, kept.to_bytes()));
        let is_void =
            |effect: &Effect| matches!(effect, Effect::Word(_, _, Word::Forgot | Word::Closed { .. }));
        let voids = effects.iter().any(is_void).then_some(peer);
        let follows = Box::new(Follows { peer, kept, effects });
        let Ok(number) = self.gate.hold(Then::Follows(follows)) else { return };
        neighbour.writing = true;
        if voids.is_some() {
            // It is of the account that is void, and what would be written with it too.
            neighbour.held = None;
        }
        out.push(Effect::Write { number, writes, voids });
    }
}
