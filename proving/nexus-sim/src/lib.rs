//! Worlds in which nodes are proved: virtual time, clocks that disagree, media and disks that fail, judges that watch.
//!
//! A world is decided by a [`world::Scenario`] and by nothing else: the same scenario gives the same run, observation by
//! observation, on every machine. There is one queue of events, one seed, no clock, no thread and no hash map. Every run
//! can be done twice and its trace hash compared ([`swarm::run_twice`]).
//!
//! | module | what it offers |
//! |---|---|
//! | [`world`] | the engine: drives nodes by their contract, crashes them between any two outputs |
//! | [`actor`] | what a world is populated with: [`nexus_node::Node`], a [`beacon`], a [`neighbour`], or a [`liar`] |
//! | [`clock`], [`queue`] | world time, drifting clocks; what happens next |
//! | [`layout`], [`medium`], [`line`](mod@line) | who hears whom; rates, queues, collisions, damage |
//! | [`worldfile`], [`builder`] | a world as one file, and builders of such files |
//! | [`traffic`], [`chance`] | what applications send, and when |
//! | [`report`], [`expectation`] | what came of it, and what had to |
//! | [`speed`] | how fast worlds run |
//! | [`modems`] | radio channels: virtual `RNode`s on one air, each with its host's machine |
//! | [`disk`] | an append-only log with unsynced writes and torn ends |
//! | [`schedule`], [`faults`] | what is done from outside, and mixes of it drawn from a seed |
//! | [`errands`] | what people ask of nodes: messages and probes |
//! | [`observation`], [`trace`], [`log`] | what can be seen, its hash, and its text |
//! | [`meter`] | what media carry for what, counted by the media |
//! | [`capture`] | a run as a recording for capture tools |
//! | [`picture`] | a run as pictures: a map, and what radios did over time |
//! | [`linking`] | links on a radio channel: how long they take, what they cost, the bounds of both |
//! | [`figures`] | tables of what links on radio cost |
//! | [`load`] | packets of each class beyond what media carry, and what becomes of them |
//! | [`books`] | nodes that keep books, in a mesh of cables |
//! | [`summaries`] | what it costs two stores to find what differs |
//! | [`upkeep`] | what a network costs that has nothing to say |
//! | [`roads`], [`tables`] | which ways there are, and which paths nodes hold |
//! | [`judge`] | what must be true of every run |
//! | [`fuzz`](mod@fuzz) | organs and nodes under scripts of any bytes, for fuzzers |
//! | [`meshes`] | random meshes in which paths are judged |
//! | [`swarm`] | many seeds, each twice; crashes at every boundary |
//! | [`acceptance`] | the roadmap's criteria, measured |
//!
//! Spec: `spec/simulation.md`.
#![forbid(unsafe_code)]

pub mod acceptance;
pub mod actor;
pub mod beacon;
pub mod books;
pub mod builder;
pub mod capture;
pub mod chance;
pub mod clock;
pub mod disk;
pub mod errands;
pub mod expectation;
pub mod faults;
pub mod figures;
pub mod fuzz;
pub mod healing;
pub mod judge;
pub mod layout;
pub mod liar;
pub mod line;
pub mod linking;
pub mod load;
pub mod log;
pub mod loud;
pub mod medium;
pub mod meshes;
pub mod meter;
pub mod modems;
pub mod neighbour;
pub mod observation;
pub mod picture;
pub mod queue;
pub mod radios;
pub mod report;
pub mod roads;
pub mod schedule;
pub mod speed;
pub mod summaries;
pub mod swarm;
pub mod tables;
pub mod tolls;
pub mod trace;
pub mod traffic;
pub mod transceivers;
pub mod upkeep;
pub mod world;
pub mod worldfile;
