//! Modems on one air, under one clock.

use std::collections::BTreeSet;

use nexus_machine::{Instant, Seed};

use crate::air::{Air, Event};
use crate::channel::RadioId;
use crate::clock::Clock;
use crate::hearing::Hearing;
use crate::record::{Outcome, Recording};
use crate::rnode::{Model, Rnode};

/// Virtual modems and the medium between them. Whoever owns it says what time it is.
#[derive(Debug)]
pub struct Fleet {
    air: Air,
    rnodes: Vec<Rnode>,
    /// When modems want to be woken: one entry for each that does, as [`Fleet::with`] left it.
    alarms: BTreeSet<(Instant, RadioId)>,
    /// Modems that did something since they were last asked for.
    stirred: BTreeSet<RadioId>,
    seed: Seed,
    /// How often each was restarted, so that none repeats what it drew.
    starts: u64,
}

impl Fleet {
    /// A modem of its model for each radio of `hearing`; the last model stands for those that follow.
    #[must_use]
    pub fn new(hearing: Hearing, models: &[Model], recording: Recording, seed: &Seed) -> Self {
        let air = Air::new(hearing, recording, seed);
        let mut fleet = Self {
            air,
            rnodes: Vec::new(),
            alarms: BTreeSet::new(),
            stirred: BTreeSet::new(),
            seed: seed.clone(),
            starts: 0,
        };
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

    /// The modems that did something since this was last asked: only they can have something to say, or have counted something.
    pub fn take_stirred(&mut self) -> BTreeSet<RadioId> {
        std::mem::take(&mut self.stirred)
    }

    /// The host of `radio` took so many bytes of its output.
    pub fn taken(&mut self, radio: RadioId, bytes: usize) {
        self.rnodes[radio.index()].taken(bytes);
    }

    /// The host of `radio` says `bytes`. What was due before is done first.
    pub fn hear(&mut self, now: Instant, radio: RadioId, bytes: &[u8]) {
        self.advance(now);
        self.with(radio, |rnode, air| rnode.hear(now, bytes, air));
    }

    /// Gives every modem a crystal of its own ([`Clock::of`]). A modem's waits and its signals are as long as its crystal says.
    pub fn set_clocks(&mut self, seed: &Seed) {
        for radio in self.air.hearing().ids() {
            self.air.set_clock(radio, Clock::of(seed, radio));
        }
    }

    /// A modem loses its power and gets it again, as another model if `model` says so: what it had set, counted and queued
    /// is gone.
    pub fn restart(&mut self, now: Instant, radio: RadioId, model: Model) {
        self.advance(now);
        let fresh = self.start(radio, model);
        self.with(radio, |rnode, air| {
            rnode.switch_off(now, air);
            *rnode = fresh;
        });
    }

    /// Changes who hears whom. What modems sense of the channel they sense from then on as it is then.
    pub fn change_hearing(&mut self, now: Instant, change: impl FnOnce(&mut Hearing)) {
        self.advance(now);
        change(self.air.hearing());
        self.sense_everywhere(now);
    }

    /// When something is due: [`Fleet::advance`].
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        let modems = self.alarms.first().map(|(at, _)| *at);
        [self.air.next_event(), modems].into_iter().flatten().min()
    }

    /// Does everything that is due by `now`, each thing at its own moment.
    pub fn advance(&mut self, now: Instant) {
        while let Some(at) = self.next_event().filter(|due| *due <= now) {
            // What is on the air at a moment comes before what modems decide in it.
            while let Some(event) = self.air.take_event(at) {
                self.tell(event);
            }
            let due: Vec<RadioId> =
                self.alarms.iter().take_while(|(due, _)| *due <= at).map(|(_, radio)| *radio).collect();
            for radio in due {
                self.with(radio, |rnode, air| rnode.wake(at, air));
            }
        }
    }

    fn start(&mut self, radio: RadioId, model: Model) -> Rnode {
        let seed = self.seed.fork_index("radio", radio.0.into()).fork_index("start", self.starts);
        self.starts = self.starts.saturating_add(1);
        Rnode::new(radio, model, &seed)
    }

    /// Lets a modem do something, and keeps its alarm right.
    fn with(&mut self, radio: RadioId, act: impl FnOnce(&mut Rnode, &mut Air)) {
        self.stirred.insert(radio);
        let rnode = &mut self.rnodes[radio.index()];
        let before = rnode.next_deadline();
        act(rnode, &mut self.air);
        let after = rnode.next_deadline();
        if before != after {
            if let Some(before) = before {
                self.alarms.remove(&(before, radio));
            }
            self.alarms.extend(after.map(|after| (after, radio)));
        }
    }

    fn sense_everywhere(&mut self, now: Instant) {
        for radio in self.air.hearing().ids() {
            self.with(radio, |rnode, air| rnode.sense(now, air));
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Began { at, sensed_by, .. } => {
                for radio in sensed_by {
                    self.with(radio, |rnode, air| rnode.sense(at, air));
                }
            }
            Event::Moved { at } => self.sense_everywhere(at),
            Event::Ended { transmission, burst } => {
                let (start, end) = (transmission.start, transmission.end);
                self.with(transmission.sender, |rnode, air| rnode.sent(start, end, burst, air));
                for reception in transmission.receptions {
                    self.with(reception.radio, |rnode, air| {
                        match reception.outcome {
                            Outcome::Received => rnode.receive(&transmission.bytes, reception.signal, air),
                            Outcome::Collided
                            | Outcome::Deaf
                            | Outcome::Locked
                            | Outcome::Lost
                            | Outcome::CutOff => {}
                        }
                        rnode.sense(end, air);
                    });
                }
            }
        }
    }
}
