//! The command that draws worlds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use nexus_machine::Duration;
use nexus_node::Node;
use nexus_sim::clock::WorldTime;
use nexus_sim::picture::{self, Lanes, Places, Tally};
use nexus_sim::swarm::Order;
use nexus_sim::world::{self, Scenario};

use crate::commands::{CANNOT_RUN, load};

/// What to draw, and where to.
#[derive(Args)]
pub(crate) struct Rendering {
    /// The SVG to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What to draw.
    #[arg(long, default_value = "map")]
    picture: Picture,
    /// Radios are shown from this second of the world on.
    #[arg(long, value_name = "SECOND", default_value_t = 0)]
    from: u64,
    /// Radios are shown until this second; without it, to the end.
    #[arg(long, value_name = "SECOND")]
    to: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Picture {
    /// Nodes and media from above, and what each carried.
    Map,
    /// A lane for each radio: what it sent and heard, and how much of the time that took.
    Activity,
}

impl Rendering {
    /// Draws a world file.
    pub(crate) fn of_file(&self, path: &Path) -> io::Result<ExitCode> {
        let Some(prepared) = load(path) else { return Ok(ExitCode::from(CANNOT_RUN)) };
        let places = Places::stated(prepared.nodes.clone(), prepared.routes.clone());
        self.draw(&prepared.name, &prepared.scenario, &places)
    }

    /// Draws a world that follows from a seed.
    pub(crate) fn of_order(&self, order: &Order) -> io::Result<ExitCode> {
        let scenario = order.scenario();
        let title = format!("Seed {}, {:?} of {} nodes", order.seed, order.shape(), order.nodes);
        self.draw(&title, &scenario, &Places::on_a_circle(&scenario.layout))
    }

    fn draw(&self, title: &str, scenario: &Scenario, places: &Places) -> io::Result<ExitCode> {
        let mut tally = Tally::new(&scenario.layout);
        world::run::<Node>(scenario, &mut [&mut tally]);
        let moment = |second: u64| WorldTime::from_start(Duration::from_secs(second));
        let to = self.to.map_or(WorldTime::from_start(scenario.length), moment);
        let drawn = match self.picture {
            Picture::Map => Ok(picture::map(title, &tally, places)),
            Picture::Activity => {
                picture::activity(title, &tally, places, Lanes { from: moment(self.from), to })
            }
        };
        match drawn {
            Ok(svg) => fs::write(&self.out, svg).map(|()| ExitCode::SUCCESS),
            Err(too_many) => {
                eprintln!("nexus-sim: {too_many}");
                Ok(ExitCode::from(CANNOT_RUN))
            }
        }
    }
}
