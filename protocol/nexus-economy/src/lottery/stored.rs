//! What of a lottery survives a restart.

use alloc::vec::Vec;

use nexus_crypto::{NodeId, VrfPublicKey};
use nexus_machine::Write;
use nexus_wire::Reader;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::lottery::{Offer, Released};

use super::chain::Chain;
use super::paying::{Contract, Paying, Standing, paid_with};
use super::relaying::Relaying;
use super::{LOTTERIES, Terms};
use crate::money::{Amount, Grains};

const PAYER: u8 = 0;
const RELAY: u8 = 1;

/// One neighbour's, in one role.
pub(super) enum Record {
    Payer(alloc::boxed::Box<Paying>),
    Relay(alloc::boxed::Box<Relaying>),
}

fn key(peer: &NodeId, role: u8) -> Vec<u8> {
    [peer.as_bytes(), &[role][..]].concat()
}

/// Forgets a neighbour.
pub(super) fn delete(peer: &NodeId) -> Vec<Write> {
    [PAYER, RELAY].map(|role| Write::delete(LOTTERIES, &key(peer, role))).into()
}

/// What this node owes under: paid u64, then at most two terms: offer, VRF key, root, claimed, standing.
pub(super) fn payer(peer: &NodeId, paying: &Paying) -> Write {
    payer_record(peer, paying, None, paying.paid)
}

/// The same, once the windows up to `claimed` are paid.
pub(super) fn payer_with(peer: &NodeId, paying: &Paying, claimed: u16, reward: Amount) -> Write {
    payer_record(peer, paying, Some(claimed), paid_with(paying.paid, reward))
}

fn payer_record(peer: &NodeId, paying: &Paying, claimed: Option<u16>, paid: Grains) -> Write {
    let mut value = paid.get().to_le_bytes().to_vec();
    let mut put = |which: u8, contract: &Contract, claimed: u16| {
        value.push(which);
        value.extend_from_slice(&encoded(contract.terms.offer()));
        value.extend_from_slice(contract.terms.key().as_bytes());
        value.extend_from_slice(contract.chain.root());
        value.extend_from_slice(&claimed.to_le_bytes());
        value.push(match contract.standing {
            Standing::Good => 0,
            Standing::Distrusted => 1,
        });
    };
    if let Some(current) = &paying.current {
        put(0, current, claimed.unwrap_or(current.claimed));
    }
    if let Some(offered) = &paying.offered {
        put(1, offered, offered.claimed);
    }
    Write::set(LOTTERIES, &key(peer, PAYER), value)
}

/// What this node is due under: paid u64, then the terms if there are any: offer, VRF key, claimed, the highest token.
pub(super) fn relay(
    peer: &NodeId,
    paid: Grains,
    terms: Option<&Terms>,
    claimed: u16,
    released: &Released,
) -> Write {
    let mut value = paid.get().to_le_bytes().to_vec();
    if let Some(terms) = terms {
        value.extend_from_slice(&encoded(terms.offer()));
        value.extend_from_slice(terms.key().as_bytes());
        value.extend_from_slice(&claimed.to_le_bytes());
        value.extend_from_slice(&released.window.to_le_bytes());
        value.extend_from_slice(&released.token.0);
    }
    Write::set(LOTTERIES, &key(peer, RELAY), value)
}

fn encoded(offer: &Offer) -> [u8; Offer::LEN] {
    let mut bytes = [0; Offer::LEN];
    offer.encode(&mut bytes).expect("an offer is as long as it says");
    bytes
}

/// What was stored. A record of another shape is passed over: the neighbours then agree anew.
pub(super) fn read((key, value): (&[u8], &[u8])) -> Option<(NodeId, Record)> {
    let (peer, role) = key.split_first_chunk::<16>()?;
    let mut reader = Reader::new("lottery", value);
    let paid = Grains::new(reader.u64_le("paid").ok()?);
    let record = match role {
        [PAYER] => {
            let (mut current, mut offered) = (None, None);
            while reader.remaining() > 0 {
                let which = reader.u8("which").ok()?;
                let contract = Some(read_contract(&mut reader)?);
                if which == 0 { current = contract } else { offered = contract }
            }
            Record::Payer(Paying::restored(current, offered, paid).into())
        }
        [RELAY] => {
            let agreed = if reader.remaining() == 0 { None } else { Some(read_agreed(&mut reader)?) };
            Record::Relay(Relaying::restored(agreed, paid).into())
        }
        _ => return None,
    };
    (reader.remaining() == 0).then_some((NodeId(*peer), record))
}

fn read_terms(reader: &mut Reader<'_>) -> Option<Terms> {
    let offer = Offer::read(reader).ok()?;
    Terms::new(offer, VrfPublicKey(reader.array("key").ok()?))
}

fn read_contract(reader: &mut Reader<'_>) -> Option<Contract> {
    let terms = read_terms(reader)?;
    let mut chain = Chain::new(reader.array("root").ok()?, terms.offer().length);
    let claimed = reader.u16_le("claimed").ok()?;
    let standing = if reader.u8("standing").ok()? == 0 { Standing::Good } else { Standing::Distrusted };
    let sound = chain.anchor() == terms.offer().anchor && claimed <= terms.offer().length;
    sound.then_some(Contract { terms, chain, released: claimed, claimed, standing })
}

fn read_agreed(reader: &mut Reader<'_>) -> Option<(Terms, u16, Released)> {
    let terms = read_terms(reader)?;
    let claimed = reader.u16_le("claimed").ok()?;
    let released = Released::read(reader).ok()?;
    (claimed <= released.window).then_some((terms, claimed, released))
}
