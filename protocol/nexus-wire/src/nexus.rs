//! NEXUS own formats: little-endian, fixed fields. Spec: `spec/wire.md`.
