//! `snow`'s state, with the sharp edges off: it leaves nothing secret on the heap, and an initiator's can be made again.

use alloc::boxed::Box;

use nexus_machine::Stream;
use snow::{Builder, Error, HandshakeState};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::primitives::{Ephemeral, Primitives};
use super::{ChannelBinding, Established, Refusal};
use crate::aead::AeadKey;
use crate::exchange::{EphemeralPublic, ExchangePublic, ExchangeSecret, NoAgreement};

/// Which pattern runs, and with what static key.
#[derive(Clone, Copy)]
pub(super) enum Pattern<'a> {
    /// XX: both sides prove a static key, and hide it from whoever listens.
    Link(&'a ExchangeSecret),
    /// NN: ephemeral keys alone; the link around it authenticates.
    Rekey,
}

#[derive(Clone, Copy)]
pub(super) enum Role {
    Initiator,
    Responder,
}

/// A handshake that runs.
///
/// In its box because `snow` does not erase its chaining key, from which the keys follow: a value that never moves can
/// be overwritten where it lies.
pub(super) struct Handshake(Box<HandshakeState>);

impl Handshake {
    pub(super) fn new(pattern: Pattern<'_>, role: Role, prologue: &[u8], ephemeral: &Ephemeral) -> Self {
        Self(Box::new(build(pattern, role, prologue, ephemeral)))
    }

    /// This side's next message, of `N` bytes.
    pub(super) fn write<const N: usize>(&mut self, payload: &[u8]) -> Result<[u8; N], NoAgreement> {
        // Longer than any message of ours by a tag, for which snow asks even where there is none.
        let mut buffer = [0; 128];
        let written = match self.0.write_message(payload, &mut buffer) {
            Err(Error::Dh) => return Err(NoAgreement),
            written => written.expect("the pattern says whose turn it is, and the buffer is long enough"),
        };
        let message = buffer.get(..written).and_then(|message| message.try_into().ok());
        Ok(message.expect("the pattern and the payload fix the message's length"))
    }

    /// Reads the other side's next message. `payload` is as long as the message says. After an error the state reads
    /// nothing more.
    pub(super) fn read(&mut self, message: &[u8], payload: &mut [u8]) -> Result<(), Refusal> {
        match self.0.read_message(message, payload) {
            Ok(_) => Ok(()),
            Err(Error::Dh) => Err(NoAgreement.into()),
            Err(_) => Err(Refusal::NotAuthentic),
        }
    }

    /// The peer's static key, which must not be `own`. Known after the message that carries it.
    pub(super) fn peer(&self, own: &ExchangePublic) -> Result<ExchangePublic, Refusal> {
        let key = self.0.get_remote_static().and_then(|key| key.try_into().ok());
        let peer = ExchangePublic(key.expect("the message that was read carried the static key"));
        if peer == *own { Err(Refusal::OwnStatic) } else { Ok(peer) }
    }

    /// The keys of a handshake whose last message was written or read.
    pub(super) fn split(mut self) -> Established {
        let (first, second) = self.0.dangerously_get_raw_split();
        let (first, second) = (Zeroizing::new(first), Zeroizing::new(second));
        // Noise §5.2: the first key is for what the initiator sends.
        let (send, receive) = if self.0.is_initiator() { (first, second) } else { (second, first) };
        let hash = self.0.get_handshake_hash().first_chunk().expect("BLAKE2b's hash has 64 bytes");
        Established {
            send: AeadKey::from_bytes(*send),
            receive: AeadKey::from_bytes(*receive),
            channel_binding: ChannelBinding(*hash),
        }
    }

    /// Writes a state that knows no secret over this one. The keys within `snow`'s boxes are ours and erase themselves.
    pub(super) fn erase(&mut self) {
        *self.0 = build(Pattern::Rekey, Role::Initiator, &[], &Ephemeral([0; 32]));
        // Otherwise a write into memory that is about to be freed could be left out.
        core::hint::black_box(&self.0);
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.erase();
    }
}

impl ZeroizeOnDrop for Handshake {}

fn build(pattern: Pattern<'_>, role: Role, prologue: &[u8], ephemeral: &Ephemeral) -> HandshakeState {
    let name = match pattern {
        Pattern::Link(_) => "Noise_XX_25519_ChaChaPoly_BLAKE2b",
        Pattern::Rekey => "Noise_NN_25519_ChaChaPoly_BLAKE2b",
    };
    let params = name.parse().expect("both patterns are snow's");
    let builder = Builder::with_resolver(params, Box::new(Primitives(ephemeral.copy())));
    let keyed = match pattern {
        Pattern::Link(own) => builder.local_private_key(own.expose()),
        Pattern::Rekey => Ok(builder),
    };
    let builder = keyed.and_then(|builder| builder.prologue(prologue)).expect("each is given once");
    let built = match role {
        Role::Initiator => builder.build_initiator(),
        Role::Responder => builder.build_responder(),
    };
    built.expect("the primitives have all that both patterns need")
}

/// What an initiator has sent, and the state that reads the answer. Without that state it can be made again.
pub(super) struct Offer {
    ephemeral: Ephemeral,
    public: EphemeralPublic,
    prologue: Box<[u8]>,
    handshake: Option<Handshake>,
}

impl Offer {
    pub(super) fn new(pattern: Pattern<'_>, prologue: &[u8], random: &mut Stream) -> Self {
        let ephemeral = Ephemeral(random.bytes());
        let (handshake, public) = begun(pattern, prologue, &ephemeral);
        Self { ephemeral, public, prologue: prologue.into(), handshake: Some(handshake) }
    }

    pub(super) const fn public(&self) -> EphemeralPublic {
        self.public
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.handshake.is_none()
    }

    /// Reads the answer and is spent by it, whatever it is.
    pub(super) fn read(
        &mut self,
        pattern: Pattern<'_>,
        answer: &[u8],
        payload: &mut [u8],
    ) -> Result<Handshake, Refusal> {
        if answer.starts_with(self.public.as_bytes()) {
            return Err(Refusal::OwnEphemeral);
        }
        let running = self.handshake.take();
        let mut handshake = running.unwrap_or_else(|| begun(pattern, &self.prologue, &self.ephemeral).0);
        handshake.read(answer, payload)?;
        Ok(handshake)
    }
}

/// An initiator's handshake after its first message, which is the public half of its ephemeral key.
fn begun(pattern: Pattern<'_>, prologue: &[u8], ephemeral: &Ephemeral) -> (Handshake, EphemeralPublic) {
    let mut handshake = Handshake::new(pattern, Role::Initiator, prologue, ephemeral);
    let first = handshake.write(&[]).expect("a first message agrees with nobody yet");
    (handshake, EphemeralPublic(first))
}
