//! Modems on one air, under one clock.

use nexus_machine::{Instant, Seed};

use crate::air::{Air, Event};
use crate::channel::RadioId;
use crate::hearing::Hearing;
use crate::record::{Outcome, Recording};
use crate::rnode::{Model, Rnode};

/// Virtual modems and the medium between them. Whoever owns it says what time it is.
#[derive(Debug)]
pub struct Fleet {
    air: Air,
    rnodes: Vec<Rnode>,
    seed: Seed,
    /// How often each was restarted, so that none repeats what it drew.
    starts: u64,
}

impl Fleet {
    /// A modem of its model for each radio of `hearing`; the last model stands for those that follow.
    #[must_use]
    pub fn new(hearing: Hearing, models: &[Model], recording: Recording, seed: &Seed) -> Self {
        let air = Air::new(hearing, recording, seed);
        let mut fleet = Self { air, rnodes: Vec::new(), seed: seed.clone(), starts: 0 };
        let mut model = Model::ESP32;
        for n in 0..fleet.air.radios() {
            model = models.get(usize::from(n)).copied().unwrap_or(model);
            let rnode = fleet.start(RadioId(n), model);
            fleet.rnodes.push(rnode);
        }
        fleet
    }

    /// The medium.
    pub const fn air(&mut self) -> &mut Air {
        &mut self.air
    }

    /// A modem.
    #[must_use]
    pub fn rnode(&self, radio: RadioId) -> &Rnode {
        &self.rnodes[radio.index()]
    }

    /// The host of `radio` took so many bytes of its output.
    pub fn taken(&mut self, radio: RadioId, bytes: usize) {
        self.rnodes[radio.index()].taken(bytes);
    }

    /// The host of `radio` says `bytes`. What was due before is done first.
    pub fn hear(&mut self, now: Instant, radio: RadioId, bytes: &[u8]) {
        self.advance(now);
        self.rnodes[radio.index()].hear(now, bytes, &mut self.air);
    }

    /// A modem loses its power and gets it again, as another model if `model` says so: what it had set, counted and queued
    /// is gone.
    pub fn restart(&mut self, now: Instant, radio: RadioId, model: Model) {
        self.advance(now);
        self.rnodes[radio.index()].switch_off(now, &mut self.air);
        self.rnodes[radio.index()] = self.start(radio, model);
    }

    /// Changes who hears whom. What modems sense of the channel they sense from then on as it is then.
    pub fn change_hearing(&mut self, now: Instant, change: impl FnOnce(&mut Hearing)) {
        self.advance(now);
        change(self.air.hearing());
        for rnode in &mut self.rnodes {
            rnode.sense(now, &mut self.air);
        }
    }

    /// When something is due: [`Fleet::advance`].
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        let modems = self.rnodes.iter().filter_map(Rnode::next_deadline).min();
        [self.air.next_event(), modems].into_iter().flatten().min()
    }

    /// Does everything that is due by `now`, each thing at its own moment.
    pub fn advance(&mut self, now: Instant) {
        while let Some(at) = self.next_event().filter(|due| *due <= now) {
            // What is on the air at a moment comes before what modems decide in it.
            while let Some(event) = self.air.take_event(at) {
                self.tell(event);
            }
            for rnode in &mut self.rnodes {
                if rnode.next_deadline().is_some_and(|due| due <= at) {
                    rnode.wake(at, &mut self.air);
                }
            }
        }
    }

    fn start(&mut self, radio: RadioId, model: Model) -> Rnode {
        let seed = self.seed.fork_index("radio", radio.0.into()).fork_index("start", self.starts);
        self.starts = self.starts.saturating_add(1);
        Rnode::new(radio, model, &seed)
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Began { at, sensed_by, .. } => {
                for radio in sensed_by {
                    self.rnodes[radio.index()].sense(at, &mut self.air);
                }
            }
            Event::Ended { transmission, burst } => {
                let (start, end) = (transmission.start, transmission.end);
                self.rnodes[transmission.sender.index()].sent(start, end, burst, &mut self.air);
                for reception in transmission.receptions {
                    let rnode = &mut self.rnodes[reception.radio.index()];
                    match reception.outcome {
                        Outcome::Received => rnode.receive(&transmission.bytes, reception.signal, &self.air),
                        Outcome::Collided | Outcome::Deaf | Outcome::Lost | Outcome::CutOff => {}
                    }
                    rnode.sense(end, &mut self.air);
                }
            }
        }
    }
}
