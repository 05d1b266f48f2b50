//! Reticulum formats: big-endian, not ours to choose. Spec: `spec/reticulum.md`.
