mod lawful;
mod letters;
mod visits;
mod world;
