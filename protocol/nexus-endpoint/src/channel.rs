//! Channels. Spec: spec/endpoint.md#channels.
