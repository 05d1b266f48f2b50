//! The audit log of a channel as a file that anybody can verify without a node. Format: spec/economy.md#audit-log.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use nexus_crypto::{NodeId, NodePublic, VerifyingKey};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelId, ChannelState};
use thiserror::Error;

use super::account::Agreed;
use super::keys::{Both, PublicKeys, Side, Signed};

/// What such a file begins with.
pub const HEAD: &str = "NEXUS channel log 1";
/// No line of it is longer, in bytes.
pub const LONGEST_LINE: usize = 512;

/// What a file proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Which channel.
    pub channel: ChannelId,
    /// Between whom.
    pub parties: (NodeId, NodeId),
    /// How many states both signed.
    pub states: usize,
    /// The first and the last sequence among them.
    pub sequences: (u64, u64),
    /// What both have in the last, in µNXS.
    pub balances: (u64, u64),
}

/// Why a file proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// It is another file.
    #[error("it does not begin with `{HEAD}`")]
    NoLog,
    /// A line cannot be read.
    #[error("line {0} is neither a key nor a state")]
    Unreadable(usize),
    /// There are not two keys, or none that node ids could be made of.
    #[error("it does not name the keys of two nodes")]
    Keys,
    /// A key is not that of a party.
    #[error("line {0} is of other nodes than the keys")]
    Strangers(usize),
    /// A line is of another channel than those before.
    #[error("line {0} is of another channel than those before it")]
    OtherChannel(usize),
    /// A state is not signed by both.
    #[error("the state in line {0} is not signed by both")]
    Unsigned(usize),
    /// Sequences do not grow.
    #[error("the sequence in line {0} does not follow that before it")]
    Order(usize),
    /// Money came or went.
    #[error("the balances in line {0} make another sum than before")]
    Sum(usize),
    /// There is no state.
    #[error("it holds no state")]
    Empty,
}

/// How the log as a file begins: with the keys of both parties. The states that both signed follow it, oldest first.
#[must_use]
pub fn head(keys: [VerifyingKey; 2]) -> String {
    let mut text = String::from(HEAD);
    text.push('\n');
    for key in keys {
        line(&mut text, "key", &key.0);
    }
    text
}

/// A state as a line of such a file.
#[must_use]
pub fn state_line(state: &ChannelState) -> String {
    let mut bytes = [0; ChannelState::LEN];
    state.encode(&mut bytes).expect("a state has 200 bytes");
    let mut text = String::new();
    line(&mut text, "state", &bytes);
    text
}

fn line(text: &mut String, kind: &str, bytes: &[u8]) {
    text.push_str(kind);
    text.push(' ');
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text.push('\n');
}

/// A file that is read line by line, however long it is.
#[derive(Debug, Default)]
pub struct Reading {
    lines: usize,
    keys: Vec<(NodeId, VerifyingKey)>,
    proven: Option<Proven>,
}

impl Reading {
    /// The next line, without its end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn line(&mut self, line: &str) -> Result<(), Flaw> {
        self.lines = self.lines.saturating_add(1);
        let at = self.lines;
        if at == 1 {
            return if line == HEAD { Ok(()) } else { Err(Flaw::NoLog) };
        }
        match line.split_once(' ') {
            Some(("key", digits)) if self.keys.len() < 2 => {
                let key = VerifyingKey(read(digits).ok_or(Flaw::Unreadable(at))?);
                let public = NodePublic::of_verifying(key).map_err(|_| Flaw::Keys)?;
                self.keys.push((public.node_id(), key));
            }
            Some(("state", digits)) => {
                let bytes: [u8; ChannelState::LEN] = read(digits).ok_or(Flaw::Unreadable(at))?;
                let state = ChannelState::decode(&bytes).map_err(|_| Flaw::Unreadable(at))?;
                self.proven = Some(after(self.proven, &state, &self.keys, at)?);
            }
            Some(("key", _)) => return Err(Flaw::Keys),
            Some(_) | None => return Err(Flaw::Unreadable(at)),
        }
        Ok(())
    }

    /// What the file proves, now that it is over.
    ///
    /// # Errors
    /// That it proves nothing.
    pub fn finish(self) -> Result<Proven, Flaw> {
        match self.lines {
            0 => Err(Flaw::NoLog),
            _ => self.proven.ok_or(Flaw::Empty),
        }
    }
}

/// What holds once a state is looked at too.
fn after(
    before: Option<Proven>,
    state: &ChannelState,
    keys: &[(NodeId, VerifyingKey)],
    at: usize,
) -> Result<Proven, Flaw> {
    let [one, other] = keys else { return Err(Flaw::Keys) };
    let body = state.body;
    let of = |party| [one, other].into_iter().find(|(id, _)| *id == party).map(|(_, key)| *key);
    let (Some(a), Some(b)) = (of(body.party_a), of(body.party_b)) else { return Err(Flaw::Strangers(at)) };
    let agreed = Agreed { body, sigs: Both { a: state.sig_a, b: state.sig_b } };
    let keys = PublicKeys(Both { a, b });
    let signed = [(Side::A, &agreed.sigs.a), (Side::B, &agreed.sigs.b)]
        .into_iter()
        .all(|(side, sig)| keys.verify(side, &Signed::State(body), sig));
    if !signed {
        return Err(Flaw::Unsigned(at));
    }
    let sum = |balances: (u64, u64)| balances.0.checked_add(balances.1);
    let balances = (body.balance_a, body.balance_b);
    let (first, states) = match before {
        None => (body.sequence, 0),
        Some(before) if before.channel != body.channel => return Err(Flaw::OtherChannel(at)),
        Some(before) if before.sequences.1 >= body.sequence => return Err(Flaw::Order(at)),
        Some(before) if sum(before.balances) != sum(balances) => return Err(Flaw::Sum(at)),
        Some(before) => (before.sequences.0, before.states),
    };
    Ok(Proven {
        channel: body.channel,
        parties: (body.party_a, body.party_b),
        states: states.saturating_add(1),
        sequences: (first, body.sequence),
        balances,
    })
}

/// So many bytes in hexadecimal.
fn read<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = digits.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = core::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_crypto::{IdentitySeed, NodeIdentity};
    use nexus_wire::nexus::channel::ChannelBody;
    use std::borrow::ToOwned as _;
    use std::string::ToString as _;

    use super::super::keys::{Keyring, Keys as _};

    fn written(keys: [VerifyingKey; 2], states: &[ChannelState]) -> String {
        let lines = states.iter().map(state_line);
        head(keys) + &lines.collect::<String>()
    }

    fn verified(text: &str) -> Result<Proven, Flaw> {
        let mut reading = Reading::default();
        text.lines().try_for_each(|line| reading.line(line))?;
        reading.finish()
    }

    fn parties() -> [NodeIdentity; 2] {
        let mut parties = [1, 2].map(|n| NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32])));
        parties.sort_by_key(NodeIdentity::node_id);
        parties
    }

    fn state(sequence: u64, balance_a: u64, balance_b: u64) -> ChannelState {
        let [a, b] = parties();
        let body = ChannelBody {
            channel: ChannelId([7; 16]),
            party_a: a.node_id(),
            party_b: b.node_id(),
            balance_a,
            balance_b,
            sequence,
        };
        let public = PublicKeys(Both { a: a.public().verifying(), b: b.public().verifying() });
        let sign = |own: &NodeIdentity| Keyring { own, public }.sign(&Signed::State(body));
        ChannelState { body, sig_a: sign(&a), sig_b: sign(&b) }
    }

    fn keys() -> [VerifyingKey; 2] {
        parties().map(|party| party.public().verifying())
    }

    #[test]
    fn a_log_proves_what_both_signed() {
        let text = written(keys(), &[state(0, 100, 100), state(2, 110, 90), state(5, 70, 130)]);
        let proven = verified(&text).expect("it is sound");
        assert_eq!((proven.states, proven.sequences, proven.balances), (3, (0, 5), (70, 130)));
        let [one, other] = keys();
        assert_eq!(verified(&written([other, one], &[state(0, 1, 1)])).map(|proven| proven.states), Ok(1));
    }

    #[test]
    fn each_flaw_is_found_and_named_by_its_line() {
        let first = state(2, 100, 100);
        let flaw = |states: &[ChannelState]| verified(&written(keys(), states)).expect_err("it is flawed");
        assert_eq!(flaw(&[]), Flaw::Empty);
        assert_eq!(flaw(&[first, state(2, 100, 100)]), Flaw::Order(5));
        assert_eq!(flaw(&[first, state(4, 100, 101)]), Flaw::Sum(5));
        assert_eq!(flaw(&[ChannelState { sig_a: first.sig_b, ..first }]), Flaw::Unsigned(4));
        let mut tampered = first;
        tampered.body.balance_a += 1;
        assert_eq!(flaw(&[tampered]), Flaw::Unsigned(4), "whoever changes a balance is found out");
        let mut other = state(4, 100, 100);
        other.body.channel = ChannelId([8; 16]);
        assert_eq!(flaw(&[first, other]), Flaw::Unsigned(5));
        let stranger = NodeIdentity::from_seed(IdentitySeed::from_bytes([3; 32]));
        let text = written([keys()[0], stranger.public().verifying()], &[first]);
        assert_eq!(verified(&text), Err(Flaw::Strangers(4)));
        assert_eq!(verified("another file\n"), Err(Flaw::NoLog));
        assert_eq!(verified(""), Err(Flaw::NoLog));
        let thrice = [head(keys()), "key ".to_owned(), "00".repeat(32)].concat();
        assert_eq!(verified(&thrice), Err(Flaw::Keys));
        let cut = written(keys(), &[first]);
        assert_eq!(verified(&cut[..cut.len() - 3]), Err(Flaw::Unreadable(4)));
        assert_eq!(verified(&[HEAD, "\nkey 00\n"].concat()), Err(Flaw::Unreadable(2)));
        assert_eq!(verified(&written([keys()[0], keys()[0]], &[first])), Err(Flaw::Strangers(4)));
        assert!(Flaw::Order(5).to_string().contains("line 5"));
    }
}
