//! Five nodes as processes in five network namespaces, one of which dies. Spec: `spec/namespaces.md#repair`.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

mod mesh;
mod repair;
