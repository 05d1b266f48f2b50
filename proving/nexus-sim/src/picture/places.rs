//! Where nodes stand on a map: where the world says they are, or, where it says nothing, evenly on a circle.

use nexus_air::place::{Position, Route};

use crate::layout::Layout;
use crate::observation::NodeIndex;

/// Where nodes are and go, and what they are called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    names: Vec<String>,
    routes: Vec<Route>,
    ground: Ground,
}

/// Whether distances on the map mean something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ground {
    /// They are metres.
    Real,
    /// The world has no places: who stands where is the picture's choice.
    Drawn,
}

impl Places {
    /// Those of a world that has none: nodes are numbered, and stand on a circle in their order.
    #[must_use]
    pub fn on_a_circle(layout: &Layout) -> Self {
        let count = f64::from(layout.nodes.max(1));
        let place = |node: NodeIndex| {
            // From the left over the top to the right, as one reads.
            let turn = std::f64::consts::TAU * f64::from(node.0) / count;
            let (sine, cosine) = turn.sin_cos();
            #[allow(clippy::cast_possible_truncation, reason = "a circle of 1 km")]
            let along = |part: f64| (part * 1_000.0).round() as i32;
            Route::standing(Position::metres(-along(cosine), along(sine)))
        };
        Self {
            names: layout.node_indices().map(|node| node.0.to_string()).collect(),
            routes: layout.node_indices().map(place).collect(),
            ground: Ground::Drawn,
        }
    }

    /// Those that a world states, by node.
    #[must_use]
    pub fn stated(names: Vec<String>, routes: Vec<Route>) -> Self {
        Self { names, routes, ground: Ground::Real }
    }

    /// What a node is called.
    #[must_use]
    pub fn name(&self, node: NodeIndex) -> &str {
        self.names.get(node.place()).map_or("?", String::as_str)
    }

    pub(super) fn route(&self, node: NodeIndex) -> Option<&Route> {
        self.routes.get(node.place())
    }

    pub(super) const fn ground(&self) -> Ground {
        self.ground
    }

    /// Every place that somebody is at, ever.
    pub(super) fn all(&self) -> impl Iterator<Item = Position> {
        self.routes.iter().flat_map(Route::waypoints).map(|waypoint| waypoint.position)
    }
}
