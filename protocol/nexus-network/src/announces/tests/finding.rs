//! Path requests at one node.
