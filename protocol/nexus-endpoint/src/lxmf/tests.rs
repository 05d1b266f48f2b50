mod lawful;
mod letters;
mod world;
