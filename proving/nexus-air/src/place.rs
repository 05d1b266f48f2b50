//! Where radios are, and how they move: a plane in centimetres, and routes through it.
//!
//! Everything here is in integers, so that a position is the same on every machine. Source: spec/air.md#places.

use nexus_machine::{Duration, Instant};

/// A point on the ground, in centimetres east and north of the world's origin: 21,000 km each way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Position {
    /// Centimetres east.
    pub east_cm: i32,
    /// Centimetres north.
    pub north_cm: i32,
}

/// Centimetres in a metre.
const METRE_CM: i32 = 100;

impl Position {
    /// So many metres east and north of the origin; what is beyond the plane is on its edge.
    #[must_use]
    pub const fn metres(east: i32, north: i32) -> Self {
        Self { east_cm: east.saturating_mul(METRE_CM), north_cm: north.saturating_mul(METRE_CM) }
    }

    /// How far it is to `other`, in centimetres, rounded down.
    #[must_use]
    pub fn distance_cm(self, other: Self) -> u64 {
        let square = |one: i32, other: i32| u128::from(one.abs_diff(other)).pow(2);
        let squares = square(self.east_cm, other.east_cm) + square(self.north_cm, other.north_cm);
        u64::try_from(squares.isqrt()).expect("the plane's diagonal is 2³³ centimetres")
    }
}

/// Where something is to be, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waypoint {
    /// When it arrives.
    pub at: Instant,
    /// Where.
    pub position: Position,
}

/// Why waypoints are no route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteError {
    /// There are none.
    Empty,
    /// The waypoint of this number, counted from 0, is not after the one before it.
    NotLater(usize),
}

impl std::fmt::Display for RouteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("a route has at least one waypoint"),
            Self::NotLater(number) => {
                write!(f, "waypoint {number} of the route is not later than the one before it")
            }
        }
    }
}

impl std::error::Error for RouteError {}

/// How something moves: in a straight line and at constant speed from each waypoint to the next. Before the first it stands
/// there, and after the last too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    first: Waypoint,
    rest: Vec<Waypoint>,
}

impl Route {
    /// Stays where it is.
    #[must_use]
    pub const fn standing(position: Position) -> Self {
        Self { first: Waypoint { at: Instant::BOOT, position }, rest: Vec::new() }
    }

    /// From each waypoint to the next.
    ///
    /// # Errors
    /// If there is none, or one is not after the one before it.
    pub fn through(waypoints: impl IntoIterator<Item = Waypoint>) -> Result<Self, RouteError> {
        let mut waypoints = waypoints.into_iter();
        let first = waypoints.next().ok_or(RouteError::Empty)?;
        let rest: Vec<Waypoint> = waypoints.collect();
        let mut before = first.at;
        for (number, waypoint) in (1..).zip(&rest) {
            if waypoint.at <= before {
                return Err(RouteError::NotLater(number));
            }
            before = waypoint.at;
        }
        Ok(Self { first, rest })
    }

    /// Its waypoints, in order.
    pub fn waypoints(&self) -> impl Iterator<Item = &Waypoint> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Whether it goes anywhere.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.rest.iter().any(|waypoint| waypoint.position != self.first.position)
    }

    /// When it is at its last waypoint.
    #[must_use]
    pub fn arrives(&self) -> Instant {
        self.rest.last().unwrap_or(&self.first).at
    }

    /// Where it is at `now`.
    #[must_use]
    pub fn at(&self, now: Instant) -> Position {
        let next = self.rest.partition_point(|waypoint| waypoint.at <= now);
        let before = match next.checked_sub(1) {
            Some(place) => &self.rest[place],
            None => &self.first,
        };
        match self.rest.get(next) {
            Some(after) if before.at <= now => between(before, after, now),
            Some(_) | None => before.position,
        }
    }
}

/// On the line from one waypoint to the next.
fn between(before: &Waypoint, after: &Waypoint, now: Instant) -> Position {
    let gone = now.since(before.at);
    let span = after.at.since(before.at);
    let along = |from: i32, to: i32| {
        let way = i128::from(to) - i128::from(from);
        let gone = way * i128::from(gone.as_micros()) / i128::from(span.max(MOMENT).as_micros());
        i32::try_from(i128::from(from) + gone).expect("between two numbers of this size")
    };
    Position {
        east_cm: along(before.position.east_cm, after.position.east_cm),
        north_cm: along(before.position.north_cm, after.position.north_cm),
    }
}

/// The shortest span there is.
const MOMENT: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn waypoint(second: u64, east: i32, north: i32) -> Waypoint {
        let at = Instant::BOOT.after(Duration::from_secs(second));
        Waypoint { at, position: Position::metres(east, north) }
    }

    fn second(second: u64) -> Instant {
        Instant::BOOT.after(Duration::from_secs(second))
    }

    #[test]
    fn distance_is_that_of_the_straight_line() {
        let origin = Position::default();
        assert_eq!(origin.distance_cm(Position::metres(300, -400)), 50_000);
        let corner = |cm| Position { east_cm: cm, north_cm: cm };
        assert_eq!(corner(i32::MIN).distance_cm(corner(i32::MAX)), 6_074_000_998);
    }

    #[test]
    fn a_walker_is_between_its_waypoints_in_proportion_of_time() {
        let route =
            Route::through([waypoint(10, 0, 0), waypoint(20, 100, -50), waypoint(30, 100, 0)]).unwrap();
        assert!(route.moves());
        assert_eq!(route.at(Instant::BOOT), Position::metres(0, 0), "it waits for its hour");
        assert_eq!(route.at(second(15)), Position::metres(50, -25));
        assert_eq!(route.at(second(20)), Position::metres(100, -50));
        assert_eq!(route.at(second(29)), Position::metres(100, -5));
        assert_eq!(route.at(Instant::NEVER), Position::metres(100, 0), "it stays where it arrived");
    }

    #[test]
    fn who_stands_is_everywhere_at_once_in_the_same_place() {
        let route = Route::standing(Position::metres(7, 8));
        assert!(!route.moves());
        assert_eq!([route.at(Instant::BOOT), route.at(Instant::NEVER)], [Position::metres(7, 8); 2]);
    }

    #[test]
    fn waypoints_that_are_not_in_order_are_no_route() {
        assert_eq!(Route::through([]), Err(RouteError::Empty));
        let twice = [waypoint(1, 0, 0), waypoint(2, 1, 1), waypoint(2, 2, 2)];
        assert_eq!(Route::through(twice), Err(RouteError::NotLater(2)));
    }
}
