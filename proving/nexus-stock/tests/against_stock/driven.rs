//! The machines of `nexus-endpoint` on a link of the test endpoint: it carries, they say what.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nexus_daemon::compression::{compress, decompress};
use nexus_endpoint::resource::{
    Arrival, Command, Compression, Effect, Event, Form, Input, Offer, Purpose, Resources,
};
use nexus_endpoint::{Bytes, Handle, Measures};
use nexus_machine::{Cx, Instant as Moment, Machine as _, Seed};
use nexus_stock::endpoint;
use nexus_stock::live::{Live, PATIENCE};
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::{Context, LinkId, PacketType};

/// What resources say on links.
pub(crate) const CONTEXTS: [Context; 8] = [
    Context::RESOURCE,
    Context::RESOURCE_ADVERTISEMENT,
    Context::RESOURCE_REQUEST,
    Context::RESOURCE_HASHMAP_UPDATE,
    Context::RESOURCE_PROOF,
    Context::RESOURCE_INITIATOR_CANCEL,
    Context::RESOURCE_RECEIVER_CANCEL,
    Context::CACHE_REQUEST,
];

/// What is done with what is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepts {
    All,
    None,
}

/// The resources of one link, and their host.
pub(crate) struct Driven<'a> {
    live: &'a mut Live,
    link: LinkId,
    machine: Resources,
    began: Instant,
    data: Vec<u8>,
    pub(crate) arrived: Vec<u8>,
    pub(crate) metadata: Option<Vec<u8>>,
    /// What came, parts left out, and what was said.
    heard: Vec<(Context, Vec<u8>)>,
    pub(crate) said: Vec<Context>,
    pub(crate) accepts: Accepts,
    /// Proofs that are lost, in either direction.
    pub(crate) swallowed: usize,
}

impl<'a> Driven<'a> {
    pub(crate) fn on(live: &'a mut Live, link: LinkId, mtu: u32) -> Self {
        live.with(|endpoint, _| endpoint.hand_out(&CONTEXTS));
        Self {
            live,
            link,
            machine: Resources::new(link, measures(mtu), &Seed::new([2; 32])),
            began: Instant::now(),
            data: Vec::new(),
            arrived: Vec::new(),
            metadata: None,
            heard: Vec::new(),
            said: Vec::new(),
            accepts: Accepts::All,
            swallowed: 0,
        }
    }

    /// Sends data; how it ended.
    pub(crate) fn send(&mut self, data: Vec<u8>, metadata: Option<Vec<u8>>) -> Event {
        let len = u64::try_from(data.len()).unwrap();
        self.data = data;
        let offer = Offer { len, metadata, purpose: Purpose::Data, compression: Compression::Tried };
        self.tell(Input::Command(Command::Offer(Handle(1), offer)));
        self.until_end()
    }

    /// Waits for data; how it ended.
    pub(crate) fn until_end(&mut self) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(end) = self.step(deadline) {
                return end;
            }
            assert!(Instant::now() < deadline, "no end in a minute; heard {:?}", self.heard.len());
        }
    }

    /// What came under a context.
    pub(crate) fn heard_of(&self, context: Context) -> impl Iterator<Item = &Vec<u8>> {
        self.heard.iter().filter(move |(of, _)| *of == context).map(|(_, bytes)| bytes)
    }

    /// Goes on until `is` so.
    pub(crate) fn until(&mut self, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is(self) {
            assert!(Instant::now() < deadline, "not in a minute");
            self.step(deadline);
        }
    }

    fn moment(&self) -> Moment {
        Moment::from_micros(u64::try_from(self.began.elapsed().as_micros()).unwrap())
    }

    /// Takes one packet, or a deadline.
    fn step(&mut self, deadline: Instant) -> Option<Event> {
        let wakes = self.machine.next_timeout();
        let wakes = wakes.map_or(deadline, |at| self.began + Duration::from_micros(at.as_micros()));
        match self.live.next(wakes.min(deadline)) {
            Some(endpoint::Event::Passed(_, Context::RESOURCE_PROOF, ..)) if self.swallowed > 0 => {
                self.swallowed -= 1;
                None
            }
            Some(endpoint::Event::Passed(link, context, bytes, _)) if link == self.link => {
                self.heard
                    .push((context, if context == Context::RESOURCE { Vec::new() } else { bytes.clone() }));
                self.tell(Input::Heard(context, bytes))
            }
            Some(_) => None,
            None => {
                let mut effects = VecDeque::new();
                self.machine.handle_timeout(Cx::at(self.moment()), &mut effects);
                self.answer(effects)
            }
        }
    }

    /// Tells the machine something; how a transfer ended, if one did.
    pub(crate) fn tell(&mut self, input: Input) -> Option<Event> {
        let mut effects = VecDeque::new();
        self.machine.handle(Cx::at(self.moment()), input, &mut effects);
        self.answer(effects)
    }

    fn answer(&mut self, effects: VecDeque<Effect>) -> Option<Event> {
        let mut end = None;
        for effect in effects {
            let answer = match effect {
                Effect::Say(context, form, bytes) => {
                    self.say(context, form, &bytes);
                    None
                }
                Effect::Event(event) => match self.told(event) {
                    Ok(answer) => answer,
                    Err(event) => {
                        end = Some(event);
                        None
                    }
                },
                effect => Some(self.host(effect)),
            };
            if let Some(input) = answer {
                end = end.or(self.tell(input));
            }
        }
        end
    }

    fn say(&mut self, context: Context, form: Form, bytes: &[u8]) {
        if form == Form::Proof && self.swallowed > 0 {
            self.swallowed -= 1;
            return;
        }
        let link = self.link;
        self.live.with(|endpoint, _| match form {
            Form::Sealed => {
                endpoint.say_on(link, context, bytes);
            }
            Form::Clear => {
                endpoint.say_in_clear(link, PacketType::Data, context, bytes);
            }
            Form::Proof => {
                endpoint.say_in_clear(link, PacketType::Proof, context, bytes);
            }
        });
        self.said.push(context);
    }

    fn host(&self, effect: Effect) -> Input {
        let link = self.link;
        match effect {
            Effect::Read(handle, from, len) => {
                let from = usize::try_from(from).unwrap();
                let data = self.data.get(from..from + usize::try_from(len).unwrap());
                Input::Read(handle, data.map(|data| Bytes(data.to_vec())))
            }
            Effect::Pack(handle, data) => match compress(&data.0) {
                Some(shorter) => Input::Packed(handle, Packing::Compressed, Bytes(shorter)),
                None => Input::Packed(handle, Packing::Plain, data),
            },
            Effect::Seal(handle, blob) => {
                let token = self.live.with(|endpoint, _| endpoint.seal_on(link, &blob.0));
                Input::Sealed(handle, token.expect("the link is up"))
            }
            Effect::Open(arrival, token) => {
                let blob = self.live.with(|endpoint, _| endpoint.open_on(link, &token));
                Input::Opened(arrival, blob.map(Bytes))
            }
            Effect::Unpack(arrival, data, most) => {
                Input::Unpacked(arrival, decompress(&data.0, usize::try_from(most).unwrap()).map(Bytes))
            }
            Effect::Say(..) | Effect::Event(_) => unreachable!("these are not for the host"),
        }
    }

    /// What the machine is answered, or how a transfer ended.
    fn told(&mut self, event: Event) -> Result<Option<Input>, Event> {
        let kept = |arrival: Arrival| Some(Input::Command(Command::Kept(arrival)));
        match event {
            Event::Offered(arrival, _) => Ok(Some(Input::Command(match self.accepts {
                Accepts::All => Command::Accept(arrival),
                Accepts::None => Command::Refuse(arrival),
            }))),
            Event::Segment(arrival, segment) => {
                self.arrived.extend_from_slice(&segment.data.0);
                if let Some(metadata) = segment.metadata {
                    self.metadata = Some(metadata.0);
                }
                Ok(kept(arrival))
            }
            Event::Sent(_) | Event::NotSent(..) | Event::Arrived(_) | Event::NotArrived(..) => Err(event),
        }
    }
}

/// What a link over the loopback is like.
pub(crate) fn measures(mtu: u32) -> Measures {
    let rtt = nexus_machine::Duration::from_millis(2);
    Measures { rtt, mtu, data_len: (mtu - 68) / 16 * 16 - 1, part_len: mtu - 36 }
}
