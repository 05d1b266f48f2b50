//! Why packets end here, counted.

/// Why a packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Not a packet, or an announce where none belongs.
    Malformed,
    /// It came as many hops as a packet may.
    HopLimit,
    /// It was taken before.
    Duplicate,
    /// Nobody asked this node to carry it on, and it is not for this node.
    NotForUs,
    /// It names another relay to carry it on.
    OtherRelay,
    /// It belongs on the medium where it was sent, and no further.
    LinkLocal,
    /// This node carries nothing for others.
    Leaf,
    /// No way to its destination is known.
    NoPath,
    /// The way to its destination leads back where it came from.
    Loop,
    /// It belongs to a circuit that did not come about through this node, or is over.
    NoCircuit,
    /// It belongs to a circuit, and did not come as many hops as the circuit is long, or not from where the circuit leads.
    OffCircuit,
    /// It belongs to a circuit that nobody has proved yet.
    Unproved,
    /// It proves a circuit, and its signature is not that of the destination that was asked.
    BadProof,
    /// It proves a packet that did not go this way, or another proof was first.
    NoReverse,
    /// Its sender pays less than is asked.
    Underpriced,
    /// Its sender has not paid for what came before.
    Unpaid,
    /// Its sender cannot pay, and had what is carried for nothing.
    NoChannel,
}

/// How many packets ended, by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drops {
    /// See [`Cause::Malformed`].
    pub malformed: u64,
    /// See [`Cause::HopLimit`].
    pub hop_limit: u64,
    /// See [`Cause::Duplicate`].
    pub duplicate: u64,
    /// See [`Cause::NotForUs`].
    pub not_for_us: u64,
    /// See [`Cause::OtherRelay`].
    pub other_relay: u64,
    /// See [`Cause::LinkLocal`].
    pub link_local: u64,
    /// See [`Cause::Leaf`].
    pub leaf: u64,
    /// See [`Cause::NoPath`].
    pub no_path: u64,
    /// See [`Cause::Loop`].
    pub loops: u64,
    /// See [`Cause::NoCircuit`].
    pub no_circuit: u64,
    /// See [`Cause::OffCircuit`].
    pub off_circuit: u64,
    /// See [`Cause::Unproved`].
    pub unproved: u64,
    /// See [`Cause::BadProof`].
    pub bad_proof: u64,
    /// See [`Cause::NoReverse`].
    pub no_reverse: u64,
    /// See [`Cause::Underpriced`].
    pub underpriced: u64,
    /// See [`Cause::Unpaid`].
    pub unpaid: u64,
    /// See [`Cause::NoChannel`].
    pub no_channel: u64,
    /// Circuits whose proof did not come in time: no packet ended with them.
    pub unanswered: u64,
}

impl Drops {
    /// All packets that ended.
    #[must_use]
    pub fn total(&self) -> u64 {
        let all = [
            self.malformed,
            self.hop_limit,
            self.duplicate,
            self.not_for_us,
            self.other_relay,
            self.link_local,
            self.leaf,
            self.no_path,
            self.loops,
            self.no_circuit,
            self.off_circuit,
            self.unproved,
            self.bad_proof,
            self.no_reverse,
            self.underpriced,
            self.unpaid,
            self.no_channel,
        ];
        all.into_iter().fold(0, u64::saturating_add)
    }

    pub(super) const fn count(&mut self, cause: Cause) {
        let counter = match cause {
            Cause::Malformed => &mut self.malformed,
            Cause::HopLimit => &mut self.hop_limit,
            Cause::Duplicate => &mut self.duplicate,
            Cause::NotForUs => &mut self.not_for_us,
            Cause::OtherRelay => &mut self.other_relay,
            Cause::LinkLocal => &mut self.link_local,
            Cause::Leaf => &mut self.leaf,
            Cause::NoPath => &mut self.no_path,
            Cause::Loop => &mut self.loops,
            Cause::NoCircuit => &mut self.no_circuit,
            Cause::OffCircuit => &mut self.off_circuit,
            Cause::Unproved => &mut self.unproved,
            Cause::BadProof => &mut self.bad_proof,
            Cause::NoReverse => &mut self.no_reverse,
            Cause::Underpriced => &mut self.underpriced,
            Cause::Unpaid => &mut self.unpaid,
            Cause::NoChannel => &mut self.no_channel,
        };
        *counter = counter.saturating_add(1);
    }
}
