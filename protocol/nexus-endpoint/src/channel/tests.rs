//! Two ends of a channel over a link that loses, repeats and reorders; what each of them may not do.

mod lawful;
mod order;
mod world;
