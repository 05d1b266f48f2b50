//! What payer and relay agreed on: how value is cut into windows, and which windows win.

use nexus_crypto::hash::blake3;
use nexus_crypto::{DomainTag, Message, NodeIdentity, Signature, VerifyingKey, VrfPublicKey};
use nexus_wire::nexus::lottery::{Offer, Token};

use crate::money::{Amount, GRAINS_PER_MICRO, Grains};

/// An offer, bound to the VRF key that draws: a relay that could change its key afterwards could choose its luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    offer: Offer,
    key: VrfPublicKey,
    hash: [u8; 32],
}

/// Which outputs win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odds {
    /// All: no proof is needed, and a claim may cover many windows.
    Certain,
    /// Those that begin with a number below this.
    Below(u64),
}

impl Terms {
    /// The terms that an offer makes with a key, if a reward is worth a window and more, and there are windows.
    #[must_use]
    pub fn new(offer: Offer, key: VrfPublicKey) -> Option<Self> {
        let worth = Amount::from_micros(offer.reward).grains()?;
        if offer.window == 0 || offer.length == 0 || worth.get() < offer.window {
            return None;
        }
        // What is due goes three windows beyond the last, and has to fit.
        offer.window.checked_mul(u64::from(offer.length).checked_add(4)?)?;
        let hash = blake3(&[DomainTag::TERMS.as_bytes(), &content(&offer, &key)]);
        Some(Self { offer, key, hash })
    }

    /// What the payer signs: never 32 bytes.
    #[must_use]
    pub fn sign(&self, identity: &NodeIdentity) -> Signature {
        let content = content(&self.offer, &self.key);
        let parts = [content.as_slice()];
        identity.sign(&Message::new(DomainTag::TERMS, &parts).expect("102 bytes"))
    }

    /// Whether the payer signed them.
    #[must_use]
    pub fn is_signed_by(&self, payer: &VerifyingKey, signature: &Signature) -> bool {
        let content = content(&self.offer, &self.key);
        let parts = [content.as_slice()];
        payer.verify(&Message::new(DomainTag::TERMS, &parts).expect("102 bytes"), signature).is_ok()
    }

    /// The offer.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// The key that draws.
    #[must_use]
    pub const fn key(&self) -> &VrfPublicKey {
        &self.key
    }

    /// The number's low byte, by which messages name them.
    #[must_use]
    pub const fn name(&self) -> u8 {
        self.offer.number.to_le_bytes()[0]
    }

    /// The value of a window.
    #[must_use]
    pub const fn window(&self) -> Grains {
        Grains::new(self.offer.window)
    }

    /// The value of so many windows.
    #[must_use]
    pub fn windows(&self, count: u64) -> Grains {
        Grains::new(self.offer.window.saturating_mul(count))
    }

    /// How many whole windows `grains` make, at most as many as the chain has.
    #[must_use]
    pub fn whole_windows(&self, grains: Grains) -> u16 {
        let whole = grains.get().checked_div(self.offer.window).unwrap_or(0);
        u16::try_from(whole).unwrap_or(u16::MAX).min(self.offer.length)
    }

    /// What a window that wins is worth.
    #[must_use]
    pub const fn reward(&self) -> Amount {
        Amount::from_micros(self.offer.reward)
    }

    /// What the windows `from` to `to` are worth if they won.
    #[must_use]
    pub fn rewards(&self, from: u16, to: u16) -> Option<Amount> {
        let count = u64::from(to.checked_sub(from)?).checked_add(1)?;
        self.offer.reward.checked_mul(count).map(Amount::from_micros)
    }

    /// Which outputs win: a part V / (1,024 × reward) of them.
    #[must_use]
    pub fn odds(&self) -> Odds {
        let worth = u128::from(self.offer.reward).saturating_mul(u128::from(GRAINS_PER_MICRO));
        let below = (u128::from(self.offer.window) << 64).checked_div(worth).unwrap_or(u128::MAX);
        u64::try_from(below).map_or(Odds::Certain, Odds::Below)
    }

    /// What is drawn for window `number`.
    #[must_use]
    pub fn alpha(&self, number: u16, token: &Token) -> [u8; 66] {
        let mut alpha = [0; 66];
        let parts: [&[u8]; 4] = [DomainTag::ALPHA.as_bytes(), &self.hash, &number.to_le_bytes(), &token.0];
        for (to, from) in alpha.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        alpha
    }
}

/// The signed content, after its tag: channel id, number, VRF key, anchor, window, reward, length.
fn content(offer: &Offer, key: &VrfPublicKey) -> [u8; 86] {
    let parts: [&[u8]; 7] = [
        &offer.channel_id,
        &offer.number.to_le_bytes(),
        key.as_bytes(),
        &offer.anchor.0,
        &offer.window.to_le_bytes(),
        &offer.reward.to_le_bytes(),
        &offer.length.to_le_bytes(),
    ];
    let mut content = [0; 86];
    for (to, from) in content.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    content
}
